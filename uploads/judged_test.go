package uploads_test

import (
	"bytes"
	"context"
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

// An uploadMethod sends a file as alice, and returns the last response.
type uploadMethod struct {
	name string
	send func(s *sessionSite, data []byte) *answer
	// stays is true if Sweep removes the state of the upload only after the state is old by the store's clock. This is
	// also so for the pieces of a file that is too large, because the client may send one of them again.
	stays bool
}

// keysLeft runs Sweep after a file was refused with the given code, or stored if code is "", and returns the keys
// that are left. If w.stays is set, it leaves out the objects that Sweep removes only later.
func (w uploadMethod) keysLeft(s *sessionSite, code uploads.Code) []string {
	leftovers := s.keysAfterExpiry()
	if !w.stays {
		return leftovers
	}
	return slices.DeleteFunc(leftovers, func(key string) bool {
		if !strings.HasPrefix(key, uploads.DefaultPrefix) {
			return false
		}
		isState := strings.HasSuffix(key, "/state.json")
		isPiece := strings.Contains(key, "/piece-")
		return isState || isPiece && code == uploads.TooLarge
	})
}

// sendByTicket sends a file with a ticket.
func sendByTicket(s *sessionSite, data []byte) *answer {
	resp := s.post(alice, "/tickets", map[string]any{"name": "film.mp4", "type": "video/mp4", "size": len(data)})
	if resp.StatusCode != http.StatusCreated {
		return resp
	}
	var ticket uploads.Ticket
	resp.json(s.t, &ticket)

	r, err := ticket.Put.Request(s.t.Context(), bytes.NewReader(data))
	require.NoError(s.t, err)
	require.Less(s.t, statusOf(s.t, r), 300)
	return s.post(alice, "/tickets/finish", map[string]any{"token": ticket.Token})
}

// filmHeaders are the headers of a film in the IETF draft of resumable uploads.
var filmHeaders = []string{"Content-Type", "video/mp4", "Content-Disposition", `inline; filename="film.mp4"`}

// uploadMethods are all methods to upload a file over HTTP, and PutPiece.
var uploadMethods = []uploadMethod{
	{name: "a form", send: sendFilmByForm},
	{name: "a ticket", send: sendByTicket},
	{name: "S3 parts", send: sendFilmByParts},
	{name: "S3, one request", send: sendFilmBySingleRequest},
	{name: "tus", send: sendFilmByTus},
	{name: "tus, one request", send: sendFilmByTusCreation},
	{name: "draft, one request", send: sendFilmByDraft},
	{name: "draft, no length", send: sendFilmByDraftWithoutLength},
	{name: "draft, continued", send: sendFilmByContinuedDraft},
	{name: "tus, pieces", send: sendFilmByJoin},
	{name: "pieces", send: sendPieces, stays: true},
}

func sendFilmByForm(s *sessionSite, data []byte) *answer {
	body, contentType := newForm(s.t, formFile{field: "file", name: "film.mp4", contentType: "video/mp4", content: string(data)})
	return s.do(alice, "POST", "/", body, headers{"Content-Type": contentType})
}

// sendFilmByParts sends a film in parts of the size that the service asks for.
func sendFilmByParts(s *sessionSite, data []byte) *answer {
	resp := s.post(alice, "/s3/multipart", map[string]any{"filename": "film.mp4", "type": "video/mp4"})
	if resp.StatusCode != http.StatusOK {
		return resp
	}

	u := &multipartUpload{s: s, user: alice}
	resp.json(s.t, u)
	var parts []sentPart
	for i, part := range cut(data, u.PartSize) {
		parts = append(parts, u.sendPart(i+1, part))
	}
	return u.complete(parts...)
}

// sendFilmBySingleRequest sends a film to the URL that the service signs for a whole file.
func sendFilmBySingleRequest(s *sessionSite, data []byte) *answer {
	resp := s.get(alice, "/s3/params?filename=film.mp4&type=video%2Fmp4")
	var signed struct{ URL string }
	resp.json(s.t, &signed)
	return s.putTo(signed.URL, data)
}

// sendFilmByTus sends a film by tus, in two halves.
func sendFilmByTus(s *sessionSite, data []byte) *answer {
	resp := s.tus("POST", "/tus/", nil, "Upload-Length", size(data), "Upload-Metadata", filenameMetadata("film.mp4"))
	if resp.StatusCode != http.StatusCreated {
		return resp
	}
	location := s.locationOf(resp, "/tus/")
	half := len(data) / 2
	s.patch(location, 0, data[:half], int64(half))
	return s.tus("PATCH", location, data[half:], "Upload-Offset", strconv.Itoa(half))
}

func sendFilmByTusCreation(s *sessionSite, data []byte) *answer {
	return s.tus("POST", "/tus/", data, "Upload-Length", size(data), "Upload-Metadata", filenameMetadata("film.mp4"))
}

func sendFilmByDraft(s *sessionSite, data []byte) *answer {
	return s.draft("POST", "/tus/", bytes.NewReader(data), filmHeaders...)
}

func sendFilmByDraftWithoutLength(s *sessionSite, data []byte) *answer {
	// The client of net/http does not know the length of a MultiReader.
	return s.draft("POST", "/tus/", io.MultiReader(bytes.NewReader(data)), filmHeaders...)
}

// sendFilmByContinuedDraft sends a film by the draft of resumable uploads, in two halves.
func sendFilmByContinuedDraft(s *sessionSite, data []byte) *answer {
	half := len(data) / 2
	resp := s.draft("POST", "/tus/", bytes.NewReader(data[:half]), append(filmHeaders, "Upload-Complete", "?0")...)
	if resp.StatusCode != http.StatusCreated {
		return resp
	}
	rest := bytes.NewReader(data[half:])
	return s.draft("PATCH", s.locationOf(resp, "/tus/"), rest, "Upload-Offset", strconv.Itoa(half))
}

// sendFilmByJoin sends each half of a film in a tus upload of its own, and then has the service join both.
func sendFilmByJoin(s *sessionSite, data []byte) *answer {
	half := len(data) / 2
	var locations []string
	for _, piece := range [][]byte{data[:half], data[half:]} {
		location := s.create("Upload-Length", size(piece), "Upload-Concat", "partial")
		s.patch(location, 0, piece, int64(len(piece)))
		locations = append(locations, location)
	}
	return s.tus("POST", "/tus/", nil,
		"Upload-Concat", "final;"+strings.Join(locations, " "),
		"Upload-Metadata", filenameMetadata("film.mp4"))
}

// sendPieces sends a file as three pieces of different sizes, the last first, and then all of them again. It returns
// the first refusal, or a response without a body when the file is complete.
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

// sendToStore passes a file of unknown size to Service.Store.
func sendToStore(s *sessionSite, data []byte) *answer {
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
	page := "<!doctype html><script>alert(1)</script>" + strings.Repeat(" ", part)
	tests := []struct {
		name       string
		data       []byte
		wantStatus int
		wantCode   uploads.Code
	}{
		{
			name:       "a page named film.mp4",
			data:       []byte(page),
			wantStatus: http.StatusUnsupportedMediaType,
			wantCode:   uploads.TypeNotAllowed,
		},
		{
			name:       "a program in a video",
			data:       newFilm(part+10, "<script>alert(1)</script>"),
			wantStatus: http.StatusUnprocessableEntity,
			wantCode:   uploads.ActiveContent,
		},
		{
			name:       "too large by one byte",
			data:       newFilm(maxFilmSize+1, ""),
			wantStatus: http.StatusRequestEntityTooLarge,
			wantCode:   uploads.TooLarge,
		},
		{
			name:       "too small by one byte",
			data:       newFilm(minFilmSize-1, ""),
			wantStatus: http.StatusUnprocessableEntity,
			wantCode:   uploads.TooSmall,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runWithEachUploadMethod(t, func(t *testing.T, open opener, c uploads.Config, method uploadMethod) {
				var stored []*uploads.File
				c.Stored = appendTo(&stored)
				s := newSessionSite(t, open(t), c)

				resp := method.send(s, tt.data)
				require.Equal(t, tt.wantStatus, resp.StatusCode)
				var problem struct{ Code uploads.Code }
				resp.json(t, &problem)
				require.Equal(t, tt.wantCode, problem.Code)

				require.Empty(t, stored)
				require.Empty(t, method.keysLeft(s, tt.wantCode))
			})
		})
	}
}

// A file that keeps Config.Rules is stored with the type of its content, whichever way it is uploaded.
func TestFilesThatKeepRulesAreStored(t *testing.T) {
	tests := []struct {
		name string
		data []byte
	}{
		{name: "a video", data: newFilm(2*part+10, "")},
		{name: "a small video", data: newFilm(1000, "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runWithEachUploadMethod(t, func(t *testing.T, open opener, c uploads.Config, method uploadMethod) {
				var stored []*uploads.File
				c.Stored = appendTo(&stored)
				s := newSessionSite(t, open(t), c)

				resp := method.send(s, tt.data)
				require.Less(t, resp.StatusCode, http.StatusMultipleChoices, string(resp.body))
				require.Len(t, stored, 1)
				require.Regexp(t, `^films/alice/[a-z2-7]{26}\.mp4$`, stored[0].Key)
				require.Equal(t, uploads.User{ID: alice}, stored[0].User)

				attrs := s.requireStored(stored[0].Key, tt.data)
				require.Equal(t, "video/mp4", attrs.ContentType)
				require.Equal(t, "attachment", attrs.ContentDisposition)
				require.Equal(t, []string{stored[0].Key}, method.keysLeft(s, ""))
			})
		})
	}
}

const minFilmSize, maxFilmSize = 100, 5 * part

// runWithEachUploadMethod runs a test for each way of uploading on each store. c is a Config that takes only films.
func runWithEachUploadMethod(
	t *testing.T, test func(t *testing.T, open opener, c uploads.Config, method uploadMethod),
) {
	for _, backend := range backends {
		for _, method := range uploadMethods {
			t.Run(backend.name+"/"+method.name, func(t *testing.T) {
				test(t, backend.open, uploads.Config{
					Rules:      rules.Rules{Types: []string{"video/mp4"}, MinSize: minFilmSize, MaxSize: maxFilmSize},
					Key:        "films/{user}/{random}{ext}",
					ProxyParts: !backend.etags,
				}, method)
			})
		}
	}
}

// newFilm returns a video of n bytes, with other content after its header.
func newFilm(n int, other string) []byte {
	head := "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42mp41" + other
	return []byte(head + strings.Repeat("\x00", n-len(head)))
}

// appendTo returns a Config.Stored that appends each file to a slice.
func appendTo(files *[]*uploads.File) func(context.Context, *uploads.File) error {
	return func(_ context.Context, f *uploads.File) error {
		*files = append(*files, f)
		return nil
	}
}

// An upload in parts whose key depends on the content has only an ID at first, and its completion returns the key and
// the address.
func TestCompleteTellsKeyOfJudgedFile(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{
		Rules: rules.Rules{Types: rules.Pictures(), MaxSize: 1 << 20},
		Key:   "{user}/{random}{ext}",
		Link:  uploads.SignedLink,
	})

	// The key is not known yet, so the response has the ID in its place.
	u := s.beginMultipart(map[string]any{"filename": "me.jpg", "size": len(newPNG())})
	require.Equal(t, u.UploadID, u.Key)
	part := u.sendPart(1, []byte(newPNG()))

	// The client may repeat the completion.
	for range 2 {
		resp := u.complete(part)
		require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
		var file struct {
			Key, Location, Type string
			Size                int64
		}
		resp.json(t, &file)

		// The extension and the type are those of the content.
		require.Regexp(t, `^alice/[a-z2-7]{26}\.png$`, file.Key)
		require.Equal(t, "image/png", file.Type)
		require.EqualValues(t, len(newPNG()), file.Size)
		require.Equal(t, newPNG(), string(s.get("", file.Location).body))
	}
}

// Config.Inspect gets the whole content of a file, whichever way the file is uploaded. If it refuses the file,
// nothing is left.
func TestInspectSeesEachWay(t *testing.T) {
	isTicket := func(method uploadMethod) bool { return method.name == "a ticket" }
	methods := slices.DeleteFunc(slices.Clone(uploadMethods), isTicket)
	methods = append(methods, uploadMethod{name: "Store", send: sendToStore})
	for _, method := range methods {
		t.Run(method.name, func(t *testing.T) {
			var inspected [][]byte
			s := newSiteWithRefusingInspect(t, &inspected)
			picture := []byte(newPNG())

			resp := method.send(s, picture)
			require.Equal(t, "422 refused file", resp.refusal(t))
			require.Equal(t, [][]byte{picture}, inspected)
			require.Empty(t, method.keysLeft(s, uploads.Refused))
		})
	}
}

// A service with Config.Inspect signs no tickets, because a file that is sent with a ticket cannot be inspected.
func TestTicketIsRefusedIfInspectIsSet(t *testing.T) {
	var inspected [][]byte
	s := newSiteWithRefusingInspect(t, &inspected)
	resp := sendByTicket(s, []byte(newPNG()))
	require.Equal(t, "403 not_allowed token", resp.refusal(t))
	require.Empty(t, inspected)
	require.Empty(t, s.keysAfterExpiry())
}

// newSiteWithRefusingInspect returns a site that takes pictures, and whose Config.Inspect appends the content of each
// to inspected and refuses it.
func newSiteWithRefusingInspect(t *testing.T, inspected *[][]byte) *sessionSite {
	t.Helper()
	return newSessionSite(t, openMemory(t), uploads.Config{
		Rules: rules.Rules{Types: rules.Pictures(), MaxSize: 1 << 20},
		Key:   "{user}/{random}{ext}",
		Inspect: func(_ context.Context, f *uploads.File, content *storage.ReaderAt) error {
			require.Equal(t, "image/png", f.ContentType)
			seen, err := io.ReadAll(io.NewSectionReader(content, 0, content.Size()))
			require.NoError(t, err)
			*inspected = append(*inspected, seen)
			return &uploads.Error{Code: uploads.Refused, Field: "file", Message: "It has a virus."}
		},
	})
}
