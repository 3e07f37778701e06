package uploads_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// patchAndStall sends a PATCH whose body does not end. The channel gets the response.
func (s *sessionSite) patchAndStall(location string, stuck *stuckBody) <-chan *answer {
	answers := make(chan *answer, 1)
	go func() {
		resp, _ := s.try(s.t.Context(), alice, "PATCH", location, stuck, headers{
			"Tus-Resumable": "1.0.0",
			"Content-Type":  "application/offset+octet-stream",
			"Upload-Offset": "0",
		})
		answers <- resp
	}()
	<-stuck.sent
	return answers
}

// If a request is refused, its client gets the response at once, even while it still sends.
func TestTusRefusesBeforeTheBodyEnds(t *testing.T) {
	tests := []struct {
		name   string
		send   int // bytes, of 1000
		refuse func(s *sessionSite, at string, stop func())
		want   string
		offset int64
	}{
		{
			name: "because another request continues",
			send: 300,
			refuse: func(s *sessionSite, location string, _ func()) {
				require.EqualValues(s.t, 300, s.offset(location))
			},
			want:   "423 locked Upload-Offset",
			offset: 300,
		},
		{
			name: "because the server stops",
			send: 300,
			refuse: func(_ *sessionSite, _ string, stop func()) {
				stop()
			},
			want:   "503 interrupted file",
			offset: 300,
		},
		{
			name:   "because there are too many bytes",
			send:   1001,
			refuse: func(*sessionSite, string, func()) {},
			want:   "413 too_large body",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSynctestSite(t, memstore.New(), uploads.Config{})
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				server := s.serveOnPipes(ctx)
				location := s.create("Upload-Length", "1000")
				stuck := newStuckBody(content(tt.send))
				defer stuck.end()
				answers := s.patchAndStall(location, stuck)

				// Wait until the server has read what was sent, and waits for more.
				synctest.Wait()
				start := time.Now()
				tt.refuse(s, location, func() {
					cancel()
					require.NoError(t, server.Shutdown(t.Context()))
				})

				require.Equal(t, tt.want, (<-answers).refusal(t))
				require.Less(t, time.Since(start), 4*time.Second)
				s.serveOnPipes(context.Background())
				require.Equal(t, tt.offset, s.offset(location))

				s.patch(location, tt.offset, content(1000)[tt.offset:], 1000)
				s.requireStored("files/alice/file", content(1000))
			})
		})
	}
}

// When the server refuses a chunked body, it keeps the connection open for 500 ms after the response. The client may
// still be sending, and a reset could destroy the response.
func TestTusRefusedChunkedBodyKeepsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSynctestSite(t, memstore.New(), uploads.Config{Rules: rules.Any(10)})
		const network, address = "", "" // the transport has only connections to this site
		conn, err := s.client.Transport.(*http.Transport).DialContext(t.Context(), network, address)
		require.NoError(t, err)
		defer conn.Close()

		// Send the start of an upload by the IETF draft, whose one chunk has more than ten bytes.
		const header = "POST /uploads/tus/ HTTP/1.1\r\n" +
			"Host: x\r\n" +
			"X-User: alice\r\n" +
			"Upload-Draft-Interop-Version: 8\r\n" +
			"Upload-Complete: ?1\r\n" +
			"Content-Type: application/partial-upload\r\n" +
			"Transfer-Encoding: chunked\r\n" +
			"\r\n"
		const chunk = "b\r\n12345678901\r\n" // 11 bytes
		_, err = io.WriteString(conn, header+chunk)
		require.NoError(t, err)

		src := bufio.NewReader(conn)
		sent := time.Now()

		// The upload was created, but its body is too large.
		const uploadResumptionSupported = 104
		resp, err := http.ReadResponse(src, nil)
		require.NoError(t, err)
		require.Equal(t, uploadResumptionSupported, resp.StatusCode)
		resp, err = http.ReadResponse(src, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		responded := time.Now()

		// The server waits 200 ms for the rest of the body, unless it was still reading the body when it refused it.
		require.LessOrEqual(t, responded.Sub(sent), 200*time.Millisecond)

		// The connection ends only after the delay.
		_, err = src.Peek(1)
		require.Equal(t, io.EOF, err)
		require.GreaterOrEqual(t, time.Since(responded), 500*time.Millisecond)
	})
}
