package uploads_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// waysOfBegin are the first requests of those ways to upload in which Config.Begin chooses the key.
var waysOfBegin = map[string]func(s *sessionSite, name string) *answer{
	"tus": func(s *sessionSite, name string) *answer {
		return s.tus("POST", "/tus/", nil, "Upload-Length", "3", "Upload-Metadata", filenameMetadata(name))
	},
	"tus, of many parts": func(s *sessionSite, name string) *answer {
		return s.tus("POST", "/tus/", nil, "Upload-Length", "100000000", "Upload-Metadata", filenameMetadata(name))
	},
	"tus, of a length that comes later": func(s *sessionSite, name string) *answer {
		return s.tus("POST", "/tus/", nil, "Upload-Defer-Length", "1", "Upload-Metadata", filenameMetadata(name))
	},
	"tus, of pieces": func(s *sessionSite, name string) *answer {
		piece := s.create("Upload-Length", "3", "Upload-Concat", "partial")
		s.patch(piece, 0, []byte("abc"), 3)
		return s.tus("POST", "/tus/", nil, "Upload-Concat", "final;"+piece, "Upload-Metadata", filenameMetadata(name))
	},
	"the draft": func(s *sessionSite, name string) *answer {
		return s.draft("POST", "/tus/", strings.NewReader("abc"), "Content-Disposition", `attachment; filename="`+strings.ReplaceAll(name, `\`, `\\`)+`"`)
	},
	"parts": func(s *sessionSite, name string) *answer {
		return s.post(alice, "/s3/multipart", map[string]any{"filename": name, "size": 3})
	},
	"one request": func(s *sessionSite, name string) *answer {
		return s.get(alice, "/s3/params?filename="+url.QueryEscape(name))
	},
}

// An upload whose filename makes no valid key is refused when it begins.
func TestNameIsCheckedEarly(t *testing.T) {
	invalid := map[string]string{
		"a backslash":              `a\b`,
		"dots":                     "..",
		"a dot at the end":         "a.",
		"an empty folder":          "a//b",
		"too long":                 strings.Repeat("n", 1100),
		"too long with its folder": strings.Repeat("f/", 505) + "n",
	}
	for name, filename := range invalid {
		for way, begin := range waysOfBegin {
			t.Run(name+"/"+way, func(t *testing.T) {
				// The prefix of the bucket makes the key longer.
				bucket := storage.Prefixed(memstore.New(), "tenants/")
				s := newSessionSite(t, bucket, uploads.Config{Now: (&clock{}).Now})
				resp := begin(s, filename)
				require.Equal(t, http.StatusBadRequest, resp.StatusCode, string(resp.body))

				var p struct{ Code, Field, File string }
				resp.json(t, &p)
				require.Equal(t, "invalid_value", p.Code)
				require.Equal(t, "filename", p.Field)
				require.Equal(t, uploads.CleanName(filename), p.File)
			})
		}
	}

	// In the IETF draft, the name is in a header, and a header cannot contain a line end.
	for _, way := range []string{"tus", "parts"} {
		t.Run("a line end/"+way, func(t *testing.T) {
			resp := waysOfBegin[way](newSessionSite(t, memstore.New(), uploads.Config{}), "a\nb")
			require.Equal(t, http.StatusBadRequest, resp.StatusCode, string(resp.body))
		})
	}
}

// An invalid Target is refused before any byte is sent, whether Begin returns it or Store gets it.
func TestTargetIsCheckedEarly(t *testing.T) {
	invalid := map[string]uploads.Target{
		"a type":                     {ContentType: "text"},
		"a name in a disposition":    {ContentDisposition: "attachment; filename=\u00e9"},
		"a line end in a header":     {CacheControl: "a\nb"},
		"a name of metadata":         {Metadata: map[string]string{"a b": "c"}},
		"a reserved name":            {Metadata: map[string]string{"omnibucket-x": "c"}},
		"a line end in metadata":     {Metadata: map[string]string{"a": "b\nc"}},
		"too much metadata":          {Metadata: map[string]string{"a": strings.Repeat("b", 2048)}},
		"a value of a tag":           {Tags: map[string]string{"a": "b\nc"}},
		"tags of the store provider": {Tags: map[string]string{"aws:a": "b"}},
	}
	for name, target := range invalid {
		for _, way := range []string{"tus", "tus, of many parts", "parts", "one request"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				var handlerErr error // the last one
				s := newSessionSite(t, memstore.New(), uploads.Config{
					Begin: func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
						withKey := target
						withKey.Key = "k"
						return &withKey, nil
					},
					OnError: func(_ *http.Request, err error) {
						handlerErr = err
					},
				})

				// The first request of the upload fails.
				begin := waysOfBegin[way]
				resp := begin(s, "a")
				require.Equal(t, http.StatusInternalServerError, resp.StatusCode, string(resp.body))
				require.ErrorIs(t, handlerErr, storage.InvalidArgument)
				require.ErrorContains(t, handlerErr, "Target.")
			})
		}

		t.Run(name+"/Store", func(t *testing.T) {
			// A read of this body would fail the test.
			s := newService(t, memstore.New(), uploads.Config{Rules: rules.Any(0)})
			_, err := s.Store(t.Context(), uploads.Upload{Body: unreadable{t}, Target: &target})
			require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err))
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// unreadable is a body that must not be read.
type unreadable struct{ t *testing.T }

func (f unreadable) Read([]byte) (int, error) {
	require.Fail(f.t, "the body was read")
	return 0, http.ErrBodyNotAllowed
}
