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

// A beginning is the first request of an upload for which Config.Begin chooses the key.
type beginning struct {
	name string
	send func(s *sessionSite, filename string) *answer
}

// beginnings are the first requests of all ways of uploading in which Config.Begin chooses the key.
var beginnings = []beginning{
	{name: "tus", send: beginShortTus},
	{name: "tus, of many parts", send: beginLongTus},
	{name: "tus, of a length that comes later", send: beginDeferredTus},
	{name: "tus, of pieces", send: joinOnePiece},
	{name: "the draft", send: sendTextByDraft},
	{name: "parts", send: beginMultipartOf},
	{name: "one request", send: requestSingleURL},
}

func beginShortTus(s *sessionSite, filename string) *answer {
	return s.tus("POST", "/tus/", nil, "Upload-Length", "3", "Upload-Metadata", filenameMetadata(filename))
}

func beginLongTus(s *sessionSite, filename string) *answer {
	return s.tus("POST", "/tus/", nil, "Upload-Length", "100000000", "Upload-Metadata", filenameMetadata(filename))
}

func beginDeferredTus(s *sessionSite, filename string) *answer {
	return s.tus("POST", "/tus/", nil, "Upload-Defer-Length", "1", "Upload-Metadata", filenameMetadata(filename))
}

// joinOnePiece sends a piece by tus. The request that joins the pieces is the first one with the name of the file.
func joinOnePiece(s *sessionSite, filename string) *answer {
	piece := s.create("Upload-Length", "3", "Upload-Concat", "partial")
	s.patch(piece, 0, []byte("abc"), 3)
	return s.tus("POST", "/tus/", nil, "Upload-Concat", "final;"+piece, "Upload-Metadata", filenameMetadata(filename))
}

func sendTextByDraft(s *sessionSite, filename string) *answer {
	escaped := strings.ReplaceAll(filename, `\`, `\\`)
	disposition := `attachment; filename="` + escaped + `"`
	return s.draft("POST", "/tus/", strings.NewReader("abc"), "Content-Disposition", disposition)
}

func beginMultipartOf(s *sessionSite, filename string) *answer {
	return s.post(alice, "/s3/multipart", map[string]any{"filename": filename, "size": 3})
}

// requestSingleURL asks for the URL to which a file can be sent in one request.
func requestSingleURL(s *sessionSite, filename string) *answer {
	return s.get(alice, "/s3/params?filename="+url.QueryEscape(filename))
}

// An upload whose filename makes no valid key is refused when it begins.
func TestNameIsCheckedEarly(t *testing.T) {
	tests := []struct{ name, filename string }{
		{name: "a backslash", filename: `a\b`},
		{name: "two dots", filename: ".."},
		{name: "a dot at the end", filename: "a."},
		{name: "an empty folder", filename: "a//b"},
		{name: "too long", filename: strings.Repeat("n", 1100)},
		{name: "too long with its folder", filename: strings.Repeat("f/", 505) + "n"},
	}
	for _, tt := range tests {
		for _, beginning := range beginnings {
			t.Run(tt.name+"/"+beginning.name, func(t *testing.T) {
				// The prefix of the bucket makes the key longer.
				bucket := storage.Prefixed(memstore.New(), "tenants/")
				s := newSessionSite(t, bucket, uploads.Config{Now: (&clock{}).Now})
				resp := beginning.send(s, tt.filename)
				require.Equal(t, http.StatusBadRequest, resp.StatusCode, string(resp.body))

				var problem struct{ Code, Field, File string }
				resp.json(t, &problem)
				require.Equal(t, "invalid_value", problem.Code)
				require.Equal(t, "filename", problem.Field)
				require.Equal(t, uploads.CleanName(tt.filename), problem.File)
			})
		}
	}
}

// An upload whose filename has a line end is refused when it begins.
func TestLineEndInNameIsRefusedEarly(t *testing.T) {
	// In the IETF draft, the name is in a header, and a header cannot contain a line end.
	for _, send := range []func(s *sessionSite, filename string) *answer{beginShortTus, beginMultipartOf} {
		s := newSessionSite(t, memstore.New(), uploads.Config{})
		resp := send(s, "a\nb")
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, string(resp.body))
	}
}

// invalidTargets are Targets that no store accepts, by the name of what is wrong.
var invalidTargets = map[string]uploads.Target{
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

// If Config.Begin returns an invalid Target, the first request of the upload fails, and Config.OnError gets the reason.
func TestTargetIsCheckedEarly(t *testing.T) {
	firstRequests := []beginning{
		{name: "tus", send: beginShortTus},
		{name: "tus, of many parts", send: beginLongTus},
		{name: "parts", send: beginMultipartOf},
		{name: "one request", send: requestSingleURL},
	}
	for name, target := range invalidTargets {
		for _, request := range firstRequests {
			t.Run(name+"/"+request.name, func(t *testing.T) {
				// Begin returns the target with a key, so that only its other fields are invalid.
				var handlerErr error
				s := newSessionSite(t, memstore.New(), uploads.Config{
					Begin: func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
						result := target
						result.Key = "key"
						return &result, nil
					},
					OnError: func(_ *http.Request, err error) {
						handlerErr = err
					},
				})

				resp := request.send(s, "file")
				require.Equal(t, http.StatusInternalServerError, resp.StatusCode, string(resp.body))
				require.ErrorIs(t, handlerErr, storage.InvalidArgument)
				require.ErrorContains(t, handlerErr, "Target.", "the error does not name the invalid field")
			})
		}
	}
}

// Store refuses an invalid Target before it reads the body.
func TestStoreChecksTargetBeforeBody(t *testing.T) {
	for name, target := range invalidTargets {
		t.Run(name, func(t *testing.T) {
			s := newService(t, memstore.New(), uploads.Config{Rules: rules.Any(0)})
			_, err := s.Store(t.Context(), uploads.Upload{Body: unreadable{t}, Target: &target})
			require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err))
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// unreadable is a body that fails the test if it is read.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	require.Fail(u.t, "the body was read")
	return 0, http.ErrBodyNotAllowed
}
