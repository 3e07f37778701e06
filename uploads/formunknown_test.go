package uploads_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// If Stored fails with OutcomeUnknown, the application may have saved a link to the file, so the form's files
// stay.
func TestFormStaysIfStoredMayHaveSucceeded(t *testing.T) {
	tests := []struct {
		name string
		err  error
		left int
	}{
		{"the application refuses the second file", storage.PermissionDenied, 0},
		{"the response to the write of the second file was lost", &storage.Error{Code: storage.Unavailable, Unknown: true}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			told := 0
			s := newSite(t, memstore.New(), uploads.Config{Stored: func(context.Context, *uploads.File) error {
				told++
				if told == 2 {
					return tt.err
				}
				return nil
			}})
			file := formFile{"photo", "me.png", "image/png", aPNG()}
			status, answer := s.form("42", file, file)
			require.GreaterOrEqual(t, status, http.StatusBadRequest, answer)
			require.Len(t, listKeys(t, s.bucket), tt.left)
		})
	}
}
