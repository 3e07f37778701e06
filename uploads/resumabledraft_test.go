package uploads_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// draft makes a request as alice, as a client of version 12 of the IETF draft of resumable uploads does. pairs are
// names and values of headers. Without a header that says otherwise, the request has the last bytes of its file.
func (s *sessionSite) draft(method, address string, body io.Reader, pairs ...string) *answer {
	s.t.Helper()
	return s.draftFrom(s.t.Context(), method, address, body, pairs...)
}

// draftFrom makes a request of the draft of resumable uploads. pairs has names and values of headers, which
// replace the usual ones.
func (s *sessionSite) draftFrom(ctx context.Context, method, address string, body io.Reader, pairs ...string) *answer {
	s.t.Helper()
	h := headers{"Upload-Draft-Interop-Version": "9"}
	if body != nil {
		h["Upload-Complete"] = "?1"
		h["Content-Type"] = "application/partial-upload"
	}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = pairs[i+1]
	}

	resp, err := s.try(ctx, alice, method, address, body, h)
	require.NoError(s.t, err)
	return resp
}

// draftSummary returns the status of a response, and those of its headers that the IETF draft defines, like "201
// complete=?0 offset=2 length=4".
func (resp *answer) draftSummary() string {
	summary := strconv.Itoa(resp.StatusCode)
	for _, header := range []struct{ name, label string }{
		{name: "Upload-Complete", label: "complete"},
		{name: "Upload-Incomplete", label: "incomplete"},
		{name: "Upload-Offset", label: "offset"},
		{name: "Upload-Length", label: "length"},
	} {
		if value := resp.Header.Get(header.name); value != "" {
			summary += " " + header.label + "=" + value
		}
	}
	return summary
}

// A client of the IETF draft of resumable uploads can send a file in several requests, and ask for its state and its
// result at any time.
func TestDraftUpload(t *testing.T) {
	runOnStores(t, func(t *testing.T, open opener) {
		s := newSessionSite(t, open(t), uploads.Config{Rules: rules.Any(10 * part)})
		data := content(3*part + 10)

		// The first request begins the upload with some of the bytes.
		resp := s.draft("POST", "/tus/", bytes.NewReader(data[:part+1]),
			"Upload-Complete", "?0",
			"Upload-Length", size(data),
			"Content-Disposition", `inline; filename="a b"`)
		require.Equal(t, fmt.Sprintf("201 complete=?0 offset=%d", part+1), resp.draftSummary())
		require.Regexp(t, `^max-age=\d+, max-size=655360$`, resp.Header.Get("Upload-Limit"))
		require.Empty(t, resp.Header.Get("Tus-Resumable"))

		// The client asks for the state, and continues.
		location := s.locationOf(resp, "/tus/")
		resp = s.draft("HEAD", location, nil)
		require.Equal(t, fmt.Sprintf("204 complete=?0 offset=%d length=%d", part+1, len(data)), resp.draftSummary())
		require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
		require.Regexp(t, `^max-age=\d+, max-size=655360$`, resp.Header.Get("Upload-Limit"))

		resp = s.draft("PATCH", location, bytes.NewReader(data[part+1:2*part]),
			"Upload-Complete", "?0",
			"Upload-Offset", fmt.Sprint(part+1))
		require.Equal(t, fmt.Sprintf("204 complete=?0 offset=%d", 2*part), resp.draftSummary())

		// The last request completes the file.
		resp = s.draft("PATCH", location, bytes.NewReader(data[2*part:]), "Upload-Offset", fmt.Sprint(2*part))
		require.Equal(t, fmt.Sprintf("200 complete=?1 offset=%d", len(data)), resp.draftSummary())
		require.JSONEq(t, fmt.Sprintf(`{"key": "files/alice/a b", "size": %d}`, len(data)), string(resp.body))
		s.requireStored("files/alice/a b", data)

		// A client whose response was lost asks again.
		for _, method := range []string{"HEAD", "GET"} {
			require.Equal(t, fmt.Sprintf("204 complete=?1 offset=%d length=%d", len(data), len(data)), s.draft(method, location, nil).draftSummary())
		}

		// A request without bytes at the end of the file repeats the last response.
		repeated := s.draft("PATCH", location, http.NoBody, "Upload-Offset", size(data))
		require.Equal(t, resp.draftSummary(), repeated.draftSummary())
		require.Equal(t, string(resp.body), string(repeated.body))

		// The upload cannot be removed any more, and Sweep keeps the file.
		require.Equal(t, "403 completed uploadId", s.draft("DELETE", location, nil).refusal(t))
		require.Equal(t, []string{"files/alice/a b"}, s.keysAfterExpiry())
	})
}

// If the handler knows the client's version of the IETF draft, it sends the address of the upload in an early response,
// before the bytes have arrived.
func TestDraftSendsAddressEarly(t *testing.T) {
	const wantUsual = "200 complete=?1 offset=4"
	tests := []struct {
		name          string
		version       string   // Upload-Draft-Interop-Version in the request
		wantAnnounced string   // Upload-Draft-Interop-Version in the early response
		moreHeaders   []string // names and values of further headers in the request
		want          string   // status and headers of the last response; "" means wantUsual
	}{
		{name: "version 4", version: "4", wantAnnounced: "4"},
		{name: "version 5", version: "5", wantAnnounced: "5"},
		{name: "version 6", version: "6", wantAnnounced: "6"},
		{name: "version 7", version: "7", wantAnnounced: "7"},
		{name: "version 8", version: "8", wantAnnounced: "8"},
		{name: "version 9", version: "9", wantAnnounced: "9"},
		{name: "version 9 with a zero and a parameter", version: "09;a", wantAnnounced: "9"},
		{
			// In version 3, a header says whether the upload is incomplete.
			name:          "version 3",
			version:       "3",
			wantAnnounced: "3",
			moreHeaders:   []string{"Upload-Complete", "", "Upload-Incomplete", "?0"},
			want:          "200 incomplete=?0 offset=4",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSessionSite(t, openMemory(t), uploads.Config{})
			ctx, early := traceInterimResponse(t.Context())

			// The client sends the bytes only after the early response.
			body := io.MultiReader(eofAfter(early.came), strings.NewReader("text"))
			h := append([]string{"Upload-Draft-Interop-Version", tt.version, "Content-Type", "text/plain"}, tt.moreHeaders...)
			resp := s.draftFrom(ctx, "POST", "/tus/", body, h...)
			require.Equal(t, cmp.Or(tt.want, wantUsual), resp.draftSummary(), string(resp.body))

			require.Equal(t, resp.Header.Get("Location"), early.header.Get("Location"))
			require.Equal(t, tt.wantAnnounced, early.header.Get("Upload-Draft-Interop-Version"))
			require.NotEmpty(t, early.header.Get("Upload-Limit"))
		})
	}
}

// If the handler does not know the client's version of the IETF draft, it sends no early response.
func TestDraftOfUnknownVersionGetsNoEarlyAddress(t *testing.T) {
	for _, version := range []string{"10", "x", ""} {
		t.Run("version "+version, func(t *testing.T) {
			s := newSessionSite(t, openMemory(t), uploads.Config{})
			ctx, early := traceInterimResponse(t.Context())
			resp := s.draftFrom(ctx, "POST", "/tus/", strings.NewReader("text"),
				"Upload-Draft-Interop-Version", version,
				"Content-Type", "text/plain")
			require.Equal(t, "200 complete=?1 offset=4", resp.draftSummary(), string(resp.body))
			require.Nil(t, early.header)
		})
	}
}

// A client of iOS 17, which speaks version -01 of the IETF draft, can upload a file. That version has the header
// Upload-Incomplete in place of Upload-Complete.
func TestDraftOfIOS17(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	send := func(method, location string, body io.Reader, pairs ...string) *answer {
		const interopVersion = "3" // of draft -01
		h := []string{
			"Upload-Draft-Interop-Version", interopVersion,
			"Upload-Complete", "",
			"Content-Type", "text/plain",
		}
		return s.draft(method, location, body, append(h, pairs...)...)
	}

	// The first request sends half of the file.
	resp := send("POST", "/tus/", strings.NewReader("te"), "Upload-Incomplete", "?1")
	require.Equal(t, "201 incomplete=?1 offset=2", resp.draftSummary())
	location := s.locationOf(resp, "/tus/")
	require.Equal(t, "204 incomplete=?1 offset=2", send("HEAD", location, nil).draftSummary())

	// The second one sends the rest.
	resp = send("PATCH", location, strings.NewReader("xt"), "Upload-Offset", "2", "Upload-Incomplete", "?0")
	require.Equal(t, "200 incomplete=?0 offset=4", resp.draftSummary())
	s.requireStored("files/alice/file", []byte("text"))
}

// An upload whose connection breaks is not complete, even if the request said Upload-Complete, and can be continued.
func TestDraftContinuesAfterCut(t *testing.T) {
	data := content(2 * part)
	tests := []struct {
		name   string
		length string // header Upload-Length
	}{
		{name: "of a known length", length: size(data)},
		{name: "of an unknown length"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSessionSite(t, openMemory(t), uploads.Config{})
			ctx, announced := traceInterimResponse(t.Context())

			// The connection breaks after the server has announced the location of the upload in an interim response.
			start := bytes.NewReader(data[:part+100])
			untilAnnounced := eofAfter(announced.came)
			body := io.MultiReader(start, untilAnnounced, broken{})
			_, err := s.try(ctx, alice, "POST", "/tus/", body, headers{
				"Upload-Draft-Interop-Version": "9",
				"Upload-Complete":              "?1",
				"Upload-Length":                tt.length,
			})
			require.Error(t, err)

			// The client continues at the offset of HEAD.
			location := strings.TrimPrefix(announced.header.Get("Location"), "/uploads")
			resp := s.draft("HEAD", location, nil)
			require.Equal(t, "?0", resp.Header.Get("Upload-Complete"))

			var offset int
			_, err = fmt.Sscan(resp.Header.Get("Upload-Offset"), &offset)
			require.NoError(t, err)
			resp = s.draft("PATCH", location, bytes.NewReader(data[offset:]), "Upload-Offset", fmt.Sprint(offset))
			require.Equal(t, http.StatusOK, resp.StatusCode)
			s.requireStored("files/alice/file", data)
			require.Equal(t, []string{"files/alice/file"}, s.keysAfterExpiry())
		})
	}
}

// An announcement is the interim response of a request.
type announcement struct {
	header textproto.MIMEHeader
	came   chan struct{}
}

// traceInterimResponse returns a context for a request, and the interim response that the request gets. The draft
// calls that response 104 (Upload Resumption Supported).
func traceInterimResponse(ctx context.Context) (context.Context, *announcement) {
	a := &announcement{came: make(chan struct{})}
	trace := &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			if code == 104 {
				a.header = header
				close(a.came)
			}
			return nil
		},
	}
	return httptrace.WithClientTrace(ctx, trace), a
}

// A delayedEOF is a body without bytes. It ends when the channel is closed.
type delayedEOF chan struct{}

func (d delayedEOF) Read([]byte) (int, error) {
	<-d
	return 0, io.EOF
}

// eofAfter returns a body without bytes that ends when the channel is closed.
func eofAfter(closed chan struct{}) io.Reader { return delayedEOF(closed) }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the line went dead") }

// The routes of the IETF draft of resumable uploads refuse invalid requests, and say whether the upload is complete.
func TestDraftRefuses(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{Rules: rules.Any(10 * part)})

	// Two uploads have four bytes. The length of the second one is known.
	const unfinished = "?0"
	resp := s.draft("POST", "/tus/", strings.NewReader("text"), "Upload-Complete", unfinished)
	open := s.locationOf(resp, "/tus/")
	resp = s.draft("POST", "/tus/", strings.NewReader("text"),
		"Upload-Complete", unfinished,
		"Upload-Length", "10",
		"Content-Disposition", "inline; filename=known")
	ofLength10 := s.locationOf(resp, "/tus/")

	tests := []struct {
		name         string
		method       string
		address      string
		body         string
		pairs        []string // names and values of headers
		want         string   // status, code and field of the refusal
		wantComplete string   // Upload-Complete in the response
		wantProblem  string   // a part of the body of the response
	}{
		{
			name:         "a wrong offset",
			method:       "PATCH",
			address:      open,
			body:         "x",
			pairs:        []string{"Upload-Offset", "3"},
			want:         "409 offset_mismatch Upload-Offset",
			wantComplete: "?0",
			wantProblem:  `"expected-offset":4,"provided-offset":3`,
		},
		{
			name:         "the type of the problem of a wrong offset",
			method:       "PATCH",
			address:      open,
			body:         "x",
			pairs:        []string{"Upload-Offset", "3"},
			want:         "409 offset_mismatch Upload-Offset",
			wantComplete: "?0",
			wantProblem:  "https://iana.org/assignments/http-problem-types#mismatching-upload-offset",
		},
		{
			name:         "no offset",
			method:       "PATCH",
			address:      open,
			body:         "x",
			want:         "400 invalid_value Upload-Offset",
			wantComplete: "?0",
		},
		{
			name:         "another content type",
			method:       "PATCH",
			address:      open,
			body:         "x",
			pairs:        []string{"Upload-Offset", "4", "Content-Type", "text/plain"},
			want:         "415 invalid_request Content-Type",
			wantComplete: "?0",
		},
		{
			name:         "an Upload-Complete that is no boolean",
			method:       "PATCH",
			address:      open,
			body:         "x",
			pairs:        []string{"Upload-Offset", "4", "Upload-Complete", "true"},
			want:         "400 invalid_value Upload-Complete",
			wantComplete: "?0",
		},
		{
			name:         "the last bytes, which are too few",
			method:       "PATCH",
			address:      ofLength10,
			body:         "x",
			pairs:        []string{"Upload-Offset", "4"},
			want:         "400 invalid_value Upload-Length",
			wantComplete: "?0",
			wantProblem:  "#inconsistent-upload-length",
		},
		{
			name:         "a first request with fewer bytes than its length",
			method:       "POST",
			address:      "/tus/",
			body:         "x",
			pairs:        []string{"Upload-Length", "2"},
			want:         "400 invalid_value Upload-Length",
			wantComplete: "?0",
			wantProblem:  "#inconsistent-upload-length",
		},
		{
			name:         "a length that differs from that of the first request",
			method:       "PATCH",
			address:      ofLength10,
			body:         "x",
			pairs:        []string{"Upload-Offset", "4", "Upload-Length", "11", "Upload-Complete", "?0"},
			want:         "400 invalid_value Upload-Length",
			wantComplete: "?0",
			wantProblem:  "#inconsistent-upload-length",
		},
		{
			name:         "more bytes than the length",
			method:       "PATCH",
			address:      ofLength10,
			body:         "1234567",
			pairs:        []string{"Upload-Offset", "4", "Upload-Complete", "?0"},
			want:         "413 too_large Content-Length",
			wantComplete: "?0",
		},
		{
			name:         "a file that is too large",
			method:       "POST",
			address:      "/tus/",
			body:         "x",
			pairs:        []string{"Upload-Length", "655361", "Upload-Complete", "?0"},
			want:         "413 too_large Upload-Length",
			wantComplete: "?0",
		},
		{
			name:         "an unknown upload",
			method:       "PATCH",
			address:      "/tus/AAAAAAAAAAAAAAAAAAAAAAAAAA",
			body:         "x",
			pairs:        []string{"Upload-Offset", "4"},
			want:         "404 not_found uploadId",
			wantComplete: "?0",
		},
		{name: "an unknown method", method: "PUT", address: open, body: "x", want: "405 invalid_request method"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := s.draft(tt.method, tt.address, strings.NewReader(tt.body), tt.pairs...)
			require.Equal(t, tt.want, resp.refusal(t))
			require.Equal(t, tt.wantComplete, resp.Header.Get("Upload-Complete"))
			require.Contains(t, string(resp.body), tt.wantProblem)

			// These refusals tell the client what it may send.
			if resp.StatusCode == http.StatusConflict {
				require.Equal(t, "4", resp.Header.Get("Upload-Offset"))
			}
			if strings.HasPrefix(tt.want, "413") {
				require.Equal(t, "max-size=655360", resp.Header.Get("Upload-Limit"))
			}
		})
	}

	// The upload has not changed, and can be removed.
	require.Equal(t, "204 complete=?0 offset=4", s.draft("HEAD", open, nil).draftSummary())
	require.Equal(t, http.StatusNoContent, s.draft("DELETE", open, nil).StatusCode)
	require.Equal(t, http.StatusNotFound, s.draft("HEAD", open, nil).StatusCode)
}

// A client has lost the last response of an upload. If it sends the last bytes again, it gets 409 with the code
// "completed". If it sends nothing at the end of the file, it gets the last response again.
func TestDraftReportsCompleteAtAnyOffset(t *testing.T) {
	tests := []struct {
		version string // value of Upload-Draft-Interop-Version
		want    string // status, Upload-Complete and Upload-Offset
	}{
		{version: "8", want: "409 complete=?1 offset=4"},
		// Since draft -12, Upload-Complete is ?0.
		{version: "9", want: "409 complete=?0 offset=4"},
		{version: "", want: "409 complete=?0 offset=4"},
	}
	for _, tt := range tests {
		s := newSessionSite(t, openMemory(t), uploads.Config{})
		location := s.locationOf(s.draft("POST", "/tus/", strings.NewReader("text")), "/tus/")
		patch := func(offset string, body io.Reader) *answer {
			return s.draft("PATCH", location, body,
				"Upload-Draft-Interop-Version", tt.version,
				"Upload-Offset", offset)
		}

		// The client sends the last two bytes again.
		resp := patch("2", strings.NewReader("xt"))
		require.Equal(t, tt.want, resp.draftSummary(), tt.version)
		require.Equal(t, "409 completed uploadId", resp.refusal(t))
		require.Contains(t, string(resp.body), "#completed-upload")

		// The client sends nothing at the end of the file.
		resp = patch("4", http.NoBody)
		require.Equal(t, "200 complete=?1 offset=4", resp.draftSummary())
	}
}

// The headers are structured fields (RFC 9651): a value may have parameters and leading zeros, and a value of another
// type is ignored or refused.
func TestDraftReadsStructuredFields(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})

	// The parameters and zeros of these values change nothing.
	resp := s.draft("POST", "/tus/", strings.NewReader("te"), "Upload-Complete", "?0;a=1", "Upload-Length", "04; b")
	require.Equal(t, "201 complete=?0 offset=2", resp.draftSummary())
	location := s.locationOf(resp, "/tus/")
	require.Equal(t, "204 complete=?0 offset=2 length=4", s.draft("HEAD", location, nil).draftSummary())

	// The length is a string, not a number, and is ignored.
	resp = s.draft("PATCH", location, strings.NewReader("xt"), "Upload-Offset", "002;c", "Upload-Length", `"9"`)
	require.Equal(t, "200 complete=?1 offset=4", resp.draftSummary(), string(resp.body))
	s.requireStored("files/alice/file", []byte("text"))

	// These are no offsets.
	for _, offset := range []string{"-2", "2.0", "?1", "2, 2", "+2"} {
		resp = s.draft("PATCH", location, strings.NewReader("xt"), "Upload-Offset", offset)
		require.Equal(t, "400 invalid_value Upload-Offset", resp.refusal(t), offset)
	}
}

// If a file is refused because of its content, the response has Upload-Complete: ?1, which is true in the IETF draft.
// It tells the client that all bytes have arrived, so that it does not send them again.
func TestDraftReportsRefusedFileComplete(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{
		Rules: rules.Rules{Types: rules.Pictures()},
		Key:   "{user}/{random}{ext}",
	})

	// A page claims to be a picture.
	page := strings.NewReader("<!doctype html>")
	resp := s.draft("POST", "/tus/", page, "Content-Type", "image/png")
	require.Equal(t, "415 type_not_allowed file", resp.refusal(t))
	require.Equal(t, "?1", resp.Header.Get("Upload-Complete"))
	require.Empty(t, s.keysAfterExpiry())
}

// OPTIONS tells clients of the draft how large a file may be.
func TestDraftOptions(t *testing.T) {
	tests := []struct {
		maxSize int64
		want    string
	}{
		{maxSize: 0, want: "min-size=0"}, // no limit
		{maxSize: 1000, want: "max-size=1000"},
	}
	for _, tt := range tests {
		s := newSessionSite(t, openMemory(t), uploads.Config{Rules: rules.Any(tt.maxSize)})
		resp := s.do("", "OPTIONS", "/tus/", nil, nil)
		require.Equal(t, http.StatusNoContent, resp.StatusCode)
		require.Equal(t, tt.want, resp.Header.Get("Upload-Limit"))
		require.Contains(t, resp.Header.Get("Accept-Patch"), "application/partial-upload")
	}
}

// A tus client can continue an upload that a client of the IETF draft has begun, and both see its state.
func TestDraftIsTusSession(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	resp := s.draft("POST", "/tus/", strings.NewReader("te"), "Upload-Complete", "?0", "Upload-Length", "4")
	location := s.locationOf(resp, "/tus/")
	require.EqualValues(t, 2, s.offset(location))
	s.patch(location, 2, []byte("xt"), 4)
	s.requireStored("files/alice/file", []byte("text"))
	require.Equal(t, "204 complete=?1 offset=4 length=4", s.draft("HEAD", location, nil).draftSummary())
}
