package backend

import (
	"context"
	"net/http"
)

// errorOf is the error that a client hears of an answer, nil for one that is fine. It is ctx's own
// where whoever asked gave up.
func errorOf(ctx context.Context, e event, a *answer) error {
	switch a.outcome {
	case outcomeOK:
		return nil
	case outcomeRefused:
		return refusal(e, a.status)
	case outcomeTimeout:
		return &Error{Code: CodeTimeout, Message: "the application did not answer in time"}
	case outcomeCanceled:
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return unavailable(a.status)
}

// unavailable is the error for whatever is the application's fault, or that of the way to it.
func unavailable(status int) *Error {
	if status < 300 {
		status = 0 // it did not say no
	}
	return &Error{CodeUnavailable, "the application is not available", status}
}

// refusal is the error for a status from 300 to 499.
func refusal(e event, status int) *Error {
	if status < 400 || e == eventTools {
		return unavailable(status)
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return &Error{CodeUnauthorized, "the application does not allow this", status}
	}
	if e == eventConnect {
		return unavailable(status)
	}
	switch status {
	case http.StatusNotFound:
		if e == eventCall {
			return &Error{CodeToolNotFound, "there is no such tool", status}
		}
		return &Error{CodeNotFound, "there is no such thing", status}
	case http.StatusRequestTimeout:
		return &Error{CodeTimeout, "the application ran out of time", status}
	case http.StatusTooManyRequests:
		return &Error{CodeOverCapacity, "the application has too much to do", status}
	case http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return &Error{CodeValidation, "the application does not accept this", status}
	}
	if e == eventCall {
		return &Error{CodeToolFailed, "the tool failed", status}
	}
	return &Error{CodeInvalidRequest, "the application refused the request", status}
}
