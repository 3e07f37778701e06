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

// The files of a form stay if Stored fails with OutcomeUnknown, because the application may have saved links to them.
func TestFormStaysIfStoredMayHaveSucceeded(t *testing.T) {
	tests := []struct {
		name     string
		err      error // error of Stored for the second file
		wantLeft int   // number of files that stay
	}{
		{name: "the application refuses the second file", err: storage.PermissionDenied, wantLeft: 0},
		{
			name:     "the response to the write of the second file was lost",
			err:      &storage.Error{Code: storage.Unavailable, Unknown: true},
			wantLeft: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			calls := 0
			s := newSite(t, memstore.New(), uploads.Config{Stored: func(context.Context, *uploads.File) error {
				calls++
				isSecondFile := calls == 2
				if isSecondFile {
					return tt.err
				}
				return nil
			}})

			// Send the same content twice in one form.
			file := formFile{field: "photo", name: "me.png", contentType: "image/png", content: newPNG()}
			status, answer := s.form("42", file, file)
			require.GreaterOrEqual(t, status, http.StatusBadRequest, answer)
			require.Len(t, listKeys(t, s.bucket), tt.wantLeft)
		})
	}
}
