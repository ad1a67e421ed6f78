package admin

import (
	_ "embed"
	"net/http"
)

// description is the API in OpenAPI. The tests hold every answer that they get against it.
//
//go:embed openapi.json
var description []byte

func (s *Server) openapi(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	w.Header().Set("Content-Type", jsonType)
	_, _ = w.Write(description)
	return nil
}
