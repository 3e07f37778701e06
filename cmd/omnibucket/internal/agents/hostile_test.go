package agents

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// readWith returns a message that calls the tool "read" with these arguments.
func readWith(arguments string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":` + arguments + `}}`
}

// answer sends a message on a line, and returns the response to it. It sends and reads at the same time, because both
// ends of a pipe wait for each other.
func answer(t *testing.T, stdin io.Writer, stdout *bufio.Reader, message string) string {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(stdin, message+"\n")
		sent <- err
	}()
	response, err := stdout.ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, <-sent)
	return response
}

// Errors about long or malformed calls are short, both on lines and over HTTP. They do not quote
// all that the client has sent.
func TestErrorsAreShort(t *testing.T) {
	const maxResponse = 2 * maxError // an error and its JSON
	long := strings.Repeat("x", 60<<10)
	manyValues := strings.Repeat("{},", 10_000)
	manyNames := strings.Repeat(`,"a":1`, 5000)

	// One server has two clients: one sends messages on lines, and one over HTTP.
	s, _ := newWatchedServer(t, rules{tools: []string{toolRead, toolWrite}, concurrency: 1, maxWrite: 1 << 20})
	stdin, stdout := serveOnLines(t, s)
	greet(t, stdin, stdout)
	site := startSite(t, s)

	// readWith returns a message that calls the tool "read" with these arguments.
	tests := []struct {
		name    string
		message string
		want    string // in the response on lines; "…" stands for the rest of a text that was cut
	}{
		{
			name:    "many values",
			message: readWith(`{"key":[` + manyValues + `1]}`),
			want:    errManyParts.Error(),
		},
		{
			name:    "many names",
			message: readWith(`{"key":1` + manyNames + `}`),
			want:    errManyParts.Error(),
		},
		{
			name:    "a long read",
			message: readWith(`{"key":"` + long + long + `"}`),
			want:    errLong.Error(),
		},
		{
			name:    "a long value of another type",
			message: readWith(`{"key":["` + long + `"]}`),
			want:    "key must be a string",
		},
		{
			name:    "half of a surrogate pair",
			message: readWith(`{"key":"a\ud800"}`),
			want:    "whole characters",
		},
		{
			name:    "a surrogate pair in the wrong order",
			message: readWith(`{"key":"\udc00\ud83d"}`),
			want:    "whole characters",
		},
		{
			name:    "a long name",
			message: readWith(`{"` + long + `":1}`),
			want:    "read has no argument",
		},
		{
			name:    "an array as params",
			message: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["` + long + `"]}`,
			want:    "…",
		},
		{
			name:    "an unknown tool",
			message: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + long + `"}}`,
			want:    "…",
		},
		{
			name:    "an unknown method",
			message: `{"jsonrpc":"2.0","id":1,"method":"` + long + `"}`,
			want:    "not",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			line := answer(t, stdin, stdout, tt.message)
			require.Less(t, len(line), maxResponse)
			require.Contains(t, line, tt.want)

			status, text := postMessage(t, site, tt.message)
			require.Less(t, len(text), maxResponse, "%d: %.200s", status, text)
		})
	}
}

// A message is too long, and the client sends all of it before it reads. The client still gets the
// response.
func TestLongMessageIsAnswered(t *testing.T) {
	const length = 64 << 20
	s, _ := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 1})
	site := startSite(t, s)
	address := strings.TrimPrefix(site.URL, "http://")

	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()

	_, err = fmt.Fprintf(
		conn, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer token\r\nContent-Length: %d\r\n\r\n",
		path, address, length,
	)
	require.NoError(t, err)
	// The client sends the whole body before it reads.
	_, err = conn.Write(make([]byte, length))
	require.NoError(t, err)

	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
}

// postMessage sends a message over HTTP, and returns the response.
func postMessage(t *testing.T, site *httptest.Server, message string) (status int, text string) {
	t.Helper()
	req, err := newPost(t.Context(), site, strings.NewReader(message))
	require.NoError(t, err)
	resp, err := site.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// If clients have no permission to write, the server refuses messages of more than 64 KiB.
func TestMessagesAreShortWithoutWrite(t *testing.T) {
	const maxMessage = 64 << 10
	s, _ := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 1, maxWrite: 1 << 20})
	require.Equal(t, maxMessage, s.maxMessage())
	site := startSite(t, s)

	status, _ := postMessage(t, site, readWith(`{"key":"`+strings.Repeat("x", maxMessage)+`"}`))
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
}

// hasManyParts counts the brackets and commas of a message, but not those within its strings.
func TestMessagePartsWithinText(t *testing.T) {
	tests := []struct {
		name    string
		message string
		want    bool
	}{
		{name: "as many as permitted", message: strings.Repeat(`[`, maxParts), want: false},
		{name: "one too many", message: `{"text":` + strings.Repeat(`[`, maxParts), want: true},
		{name: "within a string", message: `{"text":"` + strings.Repeat(`,{[\"\\`, 2*maxParts) + `"}`, want: false},
		{name: "after a string that ends in a backslash", message: `{"text\\":` + strings.Repeat(`[`, maxParts), want: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, hasManyParts([]byte(tt.message)))
		})
	}
}

// decode accepts each way in which JSON can spell an integer, such as 1e3 and 16.0. encoding/json
// refuses these for a Go integer.
func TestArgumentsOfIntegers(t *testing.T) {
	tests := []struct {
		integer string
		want    int64
	}{
		{integer: "1000", want: 1000},
		{integer: "16.0", want: 16},
		{integer: "1e3", want: 1000},
		{integer: "1e2", want: 100}, // which is as long as 100
	}
	for _, tt := range tests {
		t.Run(tt.integer, func(t *testing.T) {
			args := json.RawMessage(`{"key":"a","offset":` + tt.integer + `}`)
			var got readIn
			require.NoError(t, decode("read", schemaOf[readIn](), args, &got))
			require.Equal(t, readIn{Key: "a", Offset: tt.want}, got)
		})
	}
}

// decode ignores spaces, takes integers in any form, and takes null for a missing argument.
func TestArguments(t *testing.T) {
	var read readIn
	args := json.RawMessage(` {"key" : "a" , "offset": 1e3, "length":16.0} `)
	require.NoError(t, decode("read", schemaOf[readIn](), args, &read))
	require.Equal(t, readIn{Key: "a", Offset: 1000, Length: 16}, read)

	var write writeIn
	args = json.RawMessage(`{"key":"a","text":null,"overwrite":true}`)
	require.NoError(t, decode("write", schemaOf[writeIn](), args, &write))
	require.Equal(t, writeIn{Key: "a", Overwrite: true}, write)
}

// If an argument does not fit the schema, the error names the argument and the rule that it breaks.
func TestInvalidArguments(t *testing.T) {
	tests := []struct {
		name string
		args string
		want string
	}{
		{name: "nothing", args: ``, want: "key must be given"},
		{name: "null", args: `null`, want: "key must be given"},
		{name: "an array", args: `[]`, want: "arguments must be an object"},
		{name: "an integer as a key", args: `{"key":1}`, want: "key must be a string"},
		{name: "null as a key", args: `{"key":null}`, want: "key must be a string"},
		{name: "a name in another case", args: `{"key":"a","Offset":1}`, want: `read has no argument "Offset"`},
		{name: "a string as an offset", args: `{"key":"a","offset":"1"}`, want: "offset must be an integer"},
		{name: "a fraction", args: `{"key":"a","offset":1.5}`, want: "offset must be an integer"},
		{name: "a huge number", args: `{"key":"a","offset":1e999}`, want: "offset must be an integer"},
		{
			name: "an integer that a float64 does not have",
			args: `{"key":"a","offset":9223372036854775807}`,
			want: "offset must be at most 9007199254740991",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := decode("read", schemaOf[readIn](), json.RawMessage(tt.args), &readIn{})
			require.EqualError(t, err, "invalid argument: "+tt.want)
		})
	}

	err := decode("write", schemaOf[writeIn](), json.RawMessage(`{"key":"a","overwrite":1}`), &writeIn{})
	require.EqualError(t, err, "invalid argument: overwrite must be true or false")
}

// If a server has as many calls as it permits, it still reads from its client. It refuses further
// calls, responds to a ping, and cancels a call.
func TestFullServerReadsOn(t *testing.T) {
	const length = 16 // of each read
	s, w := newWatchedServer(t, oneReader)
	w.pauseDownloads() // so that no call ends
	stdin, stdout := serveOnLines(t, s)
	greet(t, stdin, stdout)

	// The server permits no more than these calls. It runs one of them, and the others wait.
	for id := range openCalls {
		_, err := io.WriteString(stdin, readCall(id, length))
		require.NoError(t, err)
	}
	<-w.downloads

	// A further call is refused.
	refused := answer(t, stdin, stdout, strings.TrimSpace(readCall(9, length)))
	require.JSONEq(t,
		`{"jsonrpc":"2.0","id":9,"error":{"code":-32000,"message":"too many open calls; wait for responses"}}`,
		refused)

	// The server responds to a ping.
	pong := answer(t, stdin, stdout, `{"jsonrpc":"2.0","id":10,"method":"ping"}`)
	require.JSONEq(t, `{"jsonrpc":"2.0","id":10,"result":{}}`, pong)

	// The server cancels one of its calls.
	canceled := answer(t, stdin, stdout, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	require.Contains(t, canceled, "the call was canceled")

	// In place of the canceled call, the server permits one more call, but no second one.
	_, err := io.WriteString(stdin, readCall(11, length))
	require.NoError(t, err)
	refused = answer(t, stdin, stdout, strings.TrimSpace(readCall(12, length)))
	require.Contains(t, refused, "too many open calls")

	// When the client leaves, its paused calls end.
	require.NoError(t, stdin.Close())
	hasNoCalls := func() bool { return w.current.Load() == 0 }
	require.Eventually(t, hasNoCalls, 10*time.Second, time.Millisecond)
}

// The server permits open calls with openBytes bytes in total. If they have as many, it refuses a
// further call.
func TestOpenCallsBoundedInBytes(t *testing.T) {
	const manyCalls = 100 // The number of calls does not limit this test.
	l := &lines{maxCalls: manyCalls, open: map[jsonrpc.ID]int{}}
	newCall := func(number float64) *jsonrpc.Request { // MakeID takes numbers as JSON has them
		id, err := jsonrpc.MakeID(number)
		require.NoError(t, err)
		return &jsonrpc.Request{ID: id, Method: methodCall}
	}
	first := newCall(1)
	second := newCall(2)

	// The first call takes all bytes, so the second one must wait until the first one ends.
	require.NoError(t, l.begin(first, openBytes))
	require.ErrorContains(t, l.begin(second, 1), "too many open calls")
	l.end(first.ID)
	require.NoError(t, l.begin(second, 1))
}

// The server ends a response that its client does not read. So the calls of other clients succeed.
func TestHTTPClientReadsNoResponse(t *testing.T) {
	const calls = 10 // their responses do not fit into the buffers of the connection
	s, _ := newWatchedServer(t, oneReader)
	s.sendTime = 100 * time.Millisecond // after which the server ends a response
	site := startSiteWithSmallBuffers(t, s)

	slowClient, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", site.Listener.Addr().String())
	require.NoError(t, err)
	defer slowClient.Close()
	require.NoError(t, slowClient.(*net.TCPConn).SetReadBuffer(smallBuffer))

	// One client sends calls and reads no response.
	body := readCall(1, maxRead)
	head := fmt.Sprintf(headers("Authorization: Bearer token\r\n"), len(body))
	for range calls {
		_, err = io.WriteString(slowClient, head+body)
		require.NoError(t, err)
	}

	// Another client gets its response, although the server runs only one read at a time.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.Positive(t, post(ctx, site, strings.NewReader(readCall(1, 16))))
}

// startSiteWithSmallBuffers is like startSite, but the buffers of the site's connections are small.
// They keep few bytes that the client has not read.
func startSiteWithSmallBuffers(t *testing.T, s *server) *httptest.Server {
	t.Helper()
	site := httptest.NewUnstartedServer(s.setDeadlines(s.handler("token")))
	site.Listener = smallBuffers{site.Listener}
	site.Start()
	t.Cleanup(site.Close)
	return site
}

// smallBuffer is the size of a buffer of a connection, in bytes.
const smallBuffer = 2048

// smallBuffers is a listener whose connections have small buffers. They keep few bytes that the
// client has not read.
type smallBuffers struct{ net.Listener }

func (s smallBuffers) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(smallBuffer)
	}
	return conn, err
}

// headers returns the request line and the header of a request, as a format for the length of the
// body. extra has further header lines.
func headers(extra string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
		"Accept: application/json, text/event-stream\r\n" + extra + "Content-Length: %d\r\n\r\n"
}

// A client without a token gets an error before it sends its body, and the server closes the connection.
func TestHTTPClientWithoutToken(t *testing.T) {
	s, _ := newWatchedServer(t, oneReader)
	site := startSite(t, s)
	tests := []struct {
		name  string
		extra string // further lines of the head, which has no token
	}{
		{name: "a program", extra: ""},
		{name: "a page of another site", extra: "Origin: https://other.test\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", site.Listener.Addr().String())
			require.NoError(t, err)
			require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))

			const bodyLength = 1000 // which is never sent
			_, err = fmt.Fprintf(conn, headers(tt.extra), bodyLength)
			require.NoError(t, err)

			response, err := io.ReadAll(conn) // until the server closes it
			require.NoError(t, err)
			require.Regexp(t, `^HTTP/1.1 40[13] `, string(response))
			require.NoError(t, conn.Close())
		})
	}
}

// If an object is damaged, the error tells the agent when the owner of the object must act.
func TestAdviceForDamage(t *testing.T) {
	s, _ := newWatchedServer(t, oneReader)
	s.report = func(error) {}
	err := s.failure(t.Context(), toolRead, storage.ChecksumMismatch)
	require.ErrorContains(t, err, "if a second call fails, its owner must act")
}
