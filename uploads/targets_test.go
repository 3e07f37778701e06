package uploads_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// A Target decides the attributes with which a file is stored. The rules decide its key and its type if the Target
// does not.
func TestTargetDecidesHowFileIsStored(t *testing.T) {
	target := uploads.Target{CacheControl: "no-store", Metadata: map[string]string{"case": "42"}, MaxSize: 100}
	methods := map[string]func(s *uploads.Service, body string) (*uploads.File, error){
		"Store": func(s *uploads.Service, body string) (*uploads.File, error) {
			return s.Store(t.Context(), uploads.Upload{
				Body:   strings.NewReader(body),
				Name:   "a.txt",
				User:   uploads.User{ID: alice},
				Target: &target,
			})
		},
		"pieces": func(s *uploads.Service, body string) (*uploads.File, error) {
			p := piece(1, 1, body)
			p.Target = &target
			p.Name = "a.txt"
			return s.PutPiece(t.Context(), p)
		},
	}
	tests := []struct {
		name               string
		rules              rules.Rules
		key                string
		contentType        string
		contentDisposition string
	}{
		{
			name:               "judged",
			rules:              rules.Rules{Types: []string{"text/plain"}},
			key:                `^alice/[a-z2-7]{26}\.txt$`,
			contentType:        "text/plain; charset=utf-8",
			contentDisposition: "attachment",
		},
		{
			name:        "not judged",
			rules:       rules.Any(0),
			key:         `^alice/[a-z2-7]{26}\.txt$`,
			contentType: "text/plain; charset=utf-8",
		},
	}
	for method, send := range methods {
		for _, tt := range tests {
			t.Run(method+", "+tt.name, func(t *testing.T) {
				bucket := memstore.New()
				s, err := uploads.New(bucket, uploads.Config{Rules: tt.rules, Key: "{user}/{random}{ext}"})
				require.NoError(t, err)

				_, err = send(s, strings.Repeat("x", 101))
				require.Equal(t, uploads.TooLarge, uploads.CodeOf(err))
				f, err := send(s, "some text")
				require.NoError(t, err)
				require.Regexp(t, tt.key, f.Key)

				attrs, err := bucket.Attrs(t.Context(), f.Key)
				require.NoError(t, err)
				require.Equal(t, target.CacheControl, attrs.CacheControl)
				require.Equal(t, target.Metadata, attrs.Metadata)
				require.Equal(t, tt.contentType, attrs.ContentType)
				require.Equal(t, tt.contentDisposition, attrs.ContentDisposition)
			})
		}
	}

	s := newPieceService(t, memstore.New(), uploads.Config{})
	_, err := s.Store(t.Context(), uploads.Upload{
		Body:   strings.NewReader("x"),
		User:   uploads.User{ID: alice},
		Target: &uploads.Target{Key: "mine"},
	})
	require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err))
	require.ErrorIs(t, err, storage.InvalidArgument)
}
