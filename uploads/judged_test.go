package uploads_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// A wayIn sends a file as alice, and returns the last answer.
type wayIn struct {
	name string
	send func(s *sessionSite, data []byte) *answer
	// stays is set if the state stays until it is old by the store's clock, and the pieces of a file that is
	// too large, of which one can be sent again.
	stays bool
}

// left returns the keys that are left after a Sweep of a file that was refused with code; "": of one that
// was stored.
func (w wayIn) left(s *sessionSite, code uploads.Code) []string {
	leftovers := s.tidy()
	if w.stays {
		leftovers = slices.DeleteFunc(leftovers, func(key string) bool {
			return strings.HasPrefix(key, uploads.DefaultPrefix) &&
				(strings.HasSuffix(key, "/state.json") || code == uploads.TooLarge && strings.Contains(key, "/piece-"))
		})
	}
	return leftovers
}

// ticketed sends a file with a ticket.
func ticketed(s *sessionSite, data []byte) *answer {
	a := s.post(alice, "/tickets", map[string]any{"name": "film.mp4", "type": "video/mp4", "size": len(data)})
	if a.StatusCode != http.StatusCreated {
		return a
	}
	var ticket uploads.Ticket
	a.json(s.t, &ticket)

	r, err := ticket.Put.Request(s.t.Context(), bytes.NewReader(data))
	require.NoError(s.t, err)
	require.Less(s.t, statusOf(s.t, r), 300)
	return s.post(alice, "/tickets/finish", map[string]any{"token": ticket.Token})
}

// film are the headers of a film by the draft.
var film = []string{"Content-Type", "video/mp4", "Content-Disposition", `inline; filename="film.mp4"`}

// waysIn are all ways over HTTP.
var waysIn = []wayIn{
	{
		name: "a form",
		send: func(s *sessionSite, data []byte) *answer {
			body, contentType := newForm(s.t, formFile{"file", "film.mp4", "video/mp4", string(data)})
			return s.do(alice, "POST", "/", body, headers{"Content-Type": contentType})
		},
	},
	{name: "a ticket", send: ticketed},
	{
		name: "S3 parts",
		send: func(s *sessionSite, data []byte) *answer {
			fields := map[string]any{"filename": "film.mp4", "type": "video/mp4"}
			a := s.post(alice, "/s3/multipart", fields)
			if a.StatusCode != http.StatusOK {
				return a
			}
			u := &begun{s: s, user: alice}
			a.json(s.t, u)
			var part []sentPart
			step := int(u.PartSize) // at least the store's minimum
			for start := 0; start < len(data); start += step {
				part = append(part, u.send(len(part)+1, data[start:min(start+step, len(data))]))
			}
			return u.complete(part...)
		},
	},
	{
		name: "S3, one request",
		send: func(s *sessionSite, data []byte) *answer {
			a := s.do(alice, "GET", "/s3/params?filename=film.mp4&type=video%2Fmp4", nil, nil)
			var request struct{ URL string }
			a.json(s.t, &request)
			return s.do("", "PUT", request.URL, bytes.NewReader(data), nil)
		},
	},
	{
		name: "tus",
		send: func(s *sessionSite, data []byte) *answer {
			a := s.tus("POST", "/tus/", nil, "Upload-Length", size(data), "Upload-Metadata", named("film.mp4"))
			if a.StatusCode != http.StatusCreated {
				return a
			}
			location := s.located(a, "/tus/")
			half := len(data) / 2
			s.patch(location, 0, data[:half], int64(half))
			return s.tus("PATCH", location, data[half:], "Upload-Offset", strconv.Itoa(half))
		},
	},
	{
		name: "tus, one request",
		send: func(s *sessionSite, data []byte) *answer {
			return s.tus("POST", "/tus/", data, "Upload-Length", size(data), "Upload-Metadata", named("film.mp4"))
		},
	},
	{
		name: "draft, one request",
		send: func(s *sessionSite, data []byte) *answer {
			return s.draft("POST", "/tus/", bytes.NewReader(data), film...)
		},
	},
	{
		name: "draft, no length",
		send: func(s *sessionSite, data []byte) *answer {
			return s.draft("POST", "/tus/", io.MultiReader(bytes.NewReader(data)), film...)
		},
	},
	{
		name: "draft, continued",
		send: func(s *sessionSite, data []byte) *answer {
			half := len(data) / 2
			a := s.draft("POST", "/tus/", bytes.NewReader(data[:half]), append(film, "Upload-Complete", "?0")...)
			if a.StatusCode != http.StatusCreated {
				return a
			}
			return s.draft("PATCH", s.located(a, "/tus/"), bytes.NewReader(data[half:]), "Upload-Offset", strconv.Itoa(half))
		},
	},
	{
		name: "tus, pieces",
		send: func(s *sessionSite, data []byte) *answer {
			half := len(data) / 2
			var pieces []string
			for _, piece := range [][]byte{data[:half], data[half:]} {
				location := s.create("Upload-Length", size(piece), "Upload-Concat", "partial")
				s.patch(location, 0, piece, int64(len(piece)))
				pieces = append(pieces, location)
			}
			return s.tus("POST", "/tus/", nil, "Upload-Concat", "final;"+strings.Join(pieces, " "), "Upload-Metadata", named("film.mp4"))
		},
	},
	{name: "pieces", send: sendPieces, stays: true},
}

// sendPieces stores pieces of different sizes, the last first, each twice.
func sendPieces(s *sessionSite, data []byte) *answer {
	offsets := []int{0, len(data) / 7, len(data) / 2, len(data)}
	w := httptest.NewRecorder()
	for range 2 {
		for number := len(offsets) - 1; number > 0; number-- {
			f, err := s.handler.PutPiece(s.t.Context(), uploads.Piece{
				Token:  "film",
				Count:  len(offsets) - 1,
				Number: number,
				Body:   bytes.NewReader(data[offsets[number-1]:offsets[number]]),
				User:   uploads.User{ID: alice},
				Name:   "film.mp4",
				Type:   "video/mp4",
			})
			if err != nil && f == nil {
				s.handler.Fail(w, httptest.NewRequest("PUT", "/", nil), err)
				return &answer{w.Result(), w.Body.Bytes()}
			}
			if uploads.CodeOf(err) == uploads.Completed { // the second time
				return &answer{w.Result(), nil}
			}
		}
	}

	require.Fail(s.t, "the pieces made no file")
	return nil
}

// passedToStore passes a file of unknown size to Service.Store.
func passedToStore(s *sessionSite, data []byte) *answer {
	w := httptest.NewRecorder()
	_, err := s.handler.Store(s.t.Context(), uploads.Upload{
		Body: bytes.NewReader(data),
		User: uploads.User{ID: alice},
		Name: "film.mp4",
	})
	if err != nil {
		s.handler.Fail(w, httptest.NewRequest("POST", "/", nil), err)
	}
	return &answer{w.Result(), w.Body.Bytes()}
}

// Config.Rules apply to each way of uploading. A file that breaks a rule never appears under a key, and nothing of
// it is left.
func TestRulesHoldForEachWay(t *testing.T) {
	const most = 5 * part
	filmOf := func(n int, extra string) []byte {
		head := "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42mp41" + extra
		return []byte(head + strings.Repeat("\x00", n-len(head)))
	}
	tests := []struct {
		name   string
		data   []byte
		status int
		code   uploads.Code
	}{
		{name: "a video", data: filmOf(2*part+10, "")},
		{name: "a small video", data: filmOf(1000, "")},
		{
			name:   "a page named film.mp4",
			data:   []byte("<!doctype html><script>alert(1)</script>" + strings.Repeat(" ", part)),
			status: 415,
			code:   uploads.TypeNotAllowed,
		},
		{name: "a program in a video", data: filmOf(part+10, "<script>alert(1)</script>"), status: 422, code: uploads.ActiveContent},
		{name: "too large by one byte", data: filmOf(most+1, ""), status: 413, code: uploads.TooLarge},
		{name: "too small by one byte", data: filmOf(99, ""), status: 422, code: uploads.TooSmall},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, b := range backends {
				t.Run(b.name, func(t *testing.T) {
					for _, way := range waysIn {
						t.Run(way.name, func(t *testing.T) {
							var told []*uploads.File
							s := newSessionSite(t, b.open(t), uploads.Config{
								Rules:      rules.Rules{Types: []string{"video/mp4"}, MinSize: 100, MaxSize: most},
								Key:        "films/{user}/{random}{ext}",
								ProxyParts: !b.etags,
								Stored:     recorded(&told),
							})
							a := way.send(s, tt.data)
							if tt.code != "" {
								var p struct{ Code uploads.Code }
								require.NoError(t, json.Unmarshal(a.body, &p), string(a.body))
								require.Equal(t, tt.code, p.Code)
								require.Equal(t, tt.status, a.StatusCode)
								require.Empty(t, told)
								require.Empty(t, way.left(s, tt.code))
								return
							}

							require.Less(t, a.StatusCode, 300, string(a.body))
							require.Len(t, told, 1)
							require.Regexp(t, `^films/alice/[a-z2-7]{26}\.mp4$`, told[0].Key)
							require.Equal(t, uploads.User{ID: alice}, told[0].User)

							attrs := s.stored(told[0].Key, tt.data)
							require.Equal(t, "video/mp4", attrs.ContentType)
							require.Equal(t, "attachment", attrs.ContentDisposition)
							require.Equal(t, []string{told[0].Key}, way.left(s, ""))
						})
					}
				})
			}
		})
	}
}

func recorded(told *[]*uploads.File) func(context.Context, *uploads.File) error {
	return func(_ context.Context, f *uploads.File) error {
		*told = append(*told, f)
		return nil
	}
}

// Until the content is known, an upload in parts has no key, only an ID. The completion returns the key, and the
// address if Config.Link asks for one.
func TestCompleteTellsKeyOfJudgedFile(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{Rules: rules.Rules{Types: rules.Pictures(), MaxSize: 1 << 20}, Key: "{user}/{random}{ext}", Link: uploads.SignedLink})
	u := s.begin(map[string]any{"filename": "me.jpg", "size": len(aPNG())})
	require.Equal(t, u.UploadID, u.Key)

	part := u.send(1, []byte(aPNG()))
	var result struct {
		Key, Location, Type string
		Size                int64
	}
	for range 2 { // again, with the same key of the beginning
		a := u.complete(part)
		require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
		a.json(t, &result)
		require.Regexp(t, `^alice/[a-z2-7]{26}\.png$`, result.Key)
		require.Equal(t, "image/png", result.Type)
		require.EqualValues(t, len(aPNG()), result.Size)

		a = s.do("", "GET", result.Location, nil, nil)
		require.Equal(t, aPNG(), string(a.body))
	}
}

// In each way of uploading except tickets, Config.Inspect gets the whole content, and nothing is left of a file that
// it refuses. Tickets are refused with NotAllowed.
func TestInspectSeesEachWay(t *testing.T) {
	for _, way := range append(slices.Clone(waysIn), wayIn{name: "Store", send: passedToStore}) {
		t.Run(way.name, func(t *testing.T) {
			data := []byte(aPNG())
			var inspected [][]byte
			s := newSessionSite(t, openMemory(t), uploads.Config{
				Rules: rules.Rules{Types: rules.Pictures(), MaxSize: 1 << 20},
				Key:   "{user}/{random}{ext}",
				Inspect: func(_ context.Context, f *uploads.File, content *storage.ReaderAt) error {
					require.Equal(t, "image/png", f.ContentType)
					seen, err := io.ReadAll(io.NewSectionReader(content, 0, content.Size()))
					require.NoError(t, err)
					inspected = append(inspected, seen)
					return &uploads.Error{Code: uploads.Refused, Field: "file", Message: "It has a virus."}
				},
			})

			a := way.send(s, data)
			if way.name == "a ticket" {
				require.Empty(t, inspected)
				require.Equal(t, "403 not_allowed token", a.refusal(t))
			} else {
				require.Equal(t, [][]byte{data}, inspected)
				require.Equal(t, "422 refused file", a.refusal(t))
			}
			require.Empty(t, way.left(s, uploads.Refused))
		})
	}
}
