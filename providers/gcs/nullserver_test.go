package gcs_test

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// startNullServer starts a server that stores nothing and allocates nothing for a request, so that
// a benchmark counts only the client. It responds to every upload as if the upload were 1 KiB of
// zeros.
func startNullServer(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				answerUploads(conn)
			})
		}
	})
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	return "http://" + listener.Addr().String()
}

// answerUploads responds to each request on a connection, until the connection is closed.
func answerUploads(conn net.Conn) {
	defer conn.Close()
	sumOfZeros := crc32.Checksum(make([]byte, 1<<10), crc32.MakeTable(crc32.Castagnoli))
	encodedSum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sumOfZeros))
	body := fmt.Sprintf(`{"generation":"1","etag":"CAE=","crc32c":%q,"timeCreated":"2026-01-02T03:04:05.678Z"}`,
		encodedSum)
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		len(body), body)

	requests := bufio.NewReaderSize(conn, 64<<10)
	for {
		length, err := readRequestHeader(requests)
		if err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, requests, length); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// readRequestHeader reads a request up to its body, and returns the body's length.
func readRequestHeader(requests *bufio.Reader) (length int64, err error) {
	for {
		line, err := requests.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 { // the empty line after the header
			return length, nil
		}
		if text := string(line); strings.HasPrefix(text, "Content-Length:") {
			_, _ = fmt.Sscanf(text, "Content-Length: %d", &length)
		}
	}
}
