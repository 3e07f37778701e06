package pages

import (
	"context"
	"io"
	"time"

	"github.com/omnibucket/storage/uploads"
)

// keep stores a report that goes after a day, and returns its ID. Sweep removes it then.
func keep(ctx context.Context, service *uploads.Service, user uploads.User, report io.Reader) (string, error) {
	file, err := service.Store(ctx, uploads.Upload{
		Body: report, Name: "report.pdf", User: user,
		Metadata: map[string]string{"purpose": "reports"},
		Target:   &uploads.Target{ContentType: "application/pdf", Lifetime: 24 * time.Hour},
	})
	if err != nil {
		return "", err
	}
	return file.ID, nil
}
