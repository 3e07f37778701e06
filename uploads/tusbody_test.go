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

// maxDelay is the longest time that a response may take if it does not wait for the rest of a body.
const maxDelay = 4 * time.Second

// If a request must end because another one continues its upload, its client gets the response at once, although it
// still sends.
func TestTusRefusesBeforeTheBodyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSynctestSite(t, memstore.New(), uploads.Config{})
		location := s.create("Upload-Length", "1000")

		// A client sends 300 bytes, and then nothing.
		answers, start := s.stallAfter(location, content(300))

		// HEAD asks for the offset, as a client that continues does.
		require.EqualValues(t, 300, s.offset(location))
		require.Equal(t, "423 locked Upload-Offset", (<-answers).refusal(t))
		require.Less(t, time.Since(start), maxDelay)
		s.requireContinues(location, 300)
	})
}

// If the server stops during a request, its client gets the response at once, although it still sends.
func TestTusStopsBeforeTheBodyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSynctestSite(t, memstore.New(), uploads.Config{})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		server := s.serveOnPipes(ctx)
		location := s.create("Upload-Length", "1000")

		// A client sends 300 bytes, and then nothing.
		answers, start := s.stallAfter(location, content(300))

		// The server stops.
		cancel()
		require.NoError(t, server.Shutdown(t.Context()))
		require.Equal(t, "503 interrupted file", (<-answers).refusal(t))
		require.Less(t, time.Since(start), maxDelay)

		// The upload continues at the next server.
		s.serveOnPipes(context.Background())
		s.requireContinues(location, 300)
	})
}

// If a client sends more bytes than its file has, it gets the response at once, although it still sends.
func TestTusRefusesTooManyBytesBeforeTheBodyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSynctestSite(t, memstore.New(), uploads.Config{})
		location := s.create("Upload-Length", "1000")
		answers, start := s.stallAfter(location, content(1001))
		require.Equal(t, "413 too_large body", (<-answers).refusal(t))
		require.Less(t, time.Since(start), maxDelay)
		s.requireContinues(location, 0)
	})
}

// stallAfter sends data with a PATCH whose body does not end before the test. It returns when the server has read the
// data and waits for more. The channel gets the response.
func (s *sessionSite) stallAfter(location string, data []byte) (answers <-chan *answer, start time.Time) {
	s.t.Helper()
	stuck := newStuckBody(data)
	s.t.Cleanup(stuck.end)
	answers = s.patchAndStall(location, stuck)
	synctest.Wait()
	return answers, time.Now()
}

// requireContinues requires that an upload of 1000 bytes has this offset, and can be completed from there.
func (s *sessionSite) requireContinues(location string, offset int64) {
	s.t.Helper()
	data := content(1000)
	require.Equal(s.t, offset, s.offset(location))
	s.patch(location, offset, data[offset:], int64(len(data)))
	s.requireStored("files/alice/file", data)
}

// When the server refuses a chunked body, it keeps the connection open for 500 ms after the response. The client may
// still be sending, and a reset could destroy the response.
func TestTusRefusedChunkedBodyKeepsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSynctestSite(t, memstore.New(), uploads.Config{Rules: rules.Any(10)})

		// Open a connection of the site's client. Its transport ignores the address.
		const network, address = "", ""
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

		// Before the response, the server waits at most 200 ms for the rest of the body.
		require.LessOrEqual(t, responded.Sub(sent), 200*time.Millisecond)

		// The server closes the connection only 500 ms later.
		_, err = src.Peek(1)
		require.Equal(t, io.EOF, err)
		require.GreaterOrEqual(t, time.Since(responded), 500*time.Millisecond)
	})
}
