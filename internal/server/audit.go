package server

import (
	"context"
	"time"

	"github.com/curfew-go/curfew/internal/audit"
	"github.com/curfew-go/curfew/internal/gateway"
)

// auditPatience is how long the last entries of the audit log may take to be written.
const auditPatience = 5 * time.Second

// openAudit opens the audit log, if there is to be one.
func (d *daemon) openAudit() (err error) {
	if d.config.AuditLog == "" {
		return nil
	}
	d.audit, err = audit.Open(audit.Options{
		Path: d.config.AuditLog, Output: d.process.Stdout, Logger: d.log,
	})
	return err
}

// closeAudit writes what waits.
func (d *daemon) closeAudit() error {
	ctx, cancel := context.WithTimeout(context.Background(), auditPatience)
	defer cancel()
	return d.audit.Close(ctx)
}

// auditEnd is who is told of each end of a session; nil: nobody, and then they cost less.
func (d *daemon) auditEnd() func(gateway.End) {
	if d.audit == nil {
		return nil
	}
	return func(e gateway.End) {
		d.audit.End(audit.End{
			Session: e.Session, User: e.User, Remote: e.Remote, Reason: string(e.Reason),
			ByTime: e.Reason.ByTime(), Late: e.Late,
		})
	}
}
