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

const readWith = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":%s}}`

// answer sends a message and returns the response to it.
func answer(t *testing.T, w io.Writer, r *bufio.Reader, message string) string {
	t.Helper()
	errc := make(chan error, 1)
	go func() {
		_, err := io.WriteString(w, message+"\n")
		errc <- err
	}()
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, <-errc)
	return line
}

func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("x", 60<<10)
	many := strings.Repeat("{},", 10_000)
	s, _ := newWatchedServer(t, rules{tools: []string{toolRead, toolWrite}, concurrency: 1, maxWrite: 1 << 20})
	stdin, stdout := serveOnLines(t, s)
	answer(t, stdin, stdout, strings.TrimSpace(hello))
	site := httptest.NewServer(s.setDeadlines(s.handler("token")))
	defer site.Close()

	tests := []struct{ name, message, want string }{
		{"many values", fmt.Sprintf(readWith, `{"key":[`+many+`1]}`), errManyParts.Error()},
		{"many names", fmt.Sprintf(readWith, `{"key":1`+strings.Repeat(`,"a":1`, 5000)+`}`), errManyParts.Error()},
		{"a long read", fmt.Sprintf(readWith, `{"key":"`+long+long+`"}`), errLong.Error()},
		{"a long value of another type", fmt.Sprintf(readWith, `{"key":["`+long+`"]}`), "key must be a string"},
		{"half of a character", fmt.Sprintf(readWith, `{"key":"a\ud800"}`), "whole characters"},
		{"the other half", fmt.Sprintf(readWith, `{"key":"\udc00\ud83d"}`), "whole characters"},
		{"a long name", fmt.Sprintf(readWith, `{"`+long+`":1}`), "read has no argument"},
		{"other params", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["` + long + `"]}`, "…"},
		{"an unknown tool", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + long + `"}}`, "…"},
		{"an unknown method", `{"jsonrpc":"2.0","id":1,"method":"` + long + `"}`, "not"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			line := answer(t, stdin, stdout, tt.message)
			require.Less(t, len(line), 2*maxError)
			require.Contains(t, line, tt.want)
			status, text := postMessage(t, site, tt.message)
			require.Less(t, len(text), 2*maxError, "%d: %.200s", status, text)
		})
	}
}

// If a client sends a whole long message before it reads, it still gets a response.
func TestLongMessageIsAnswered(t *testing.T) {
	s, _ := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 1})
	site := httptest.NewServer(s.setDeadlines(s.handler("token")))
	defer site.Close()
	address := strings.TrimPrefix(site.URL, "http://")
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer c.Close()
	const length = 64 << 20
	_, err = fmt.Fprintf(
		c, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer token\r\nContent-Length: %d\r\n\r\n",
		path, address, length,
	)
	require.NoError(t, err)
	_, err = c.Write(make([]byte, length))
	require.NoError(t, err)

	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode)
	require.NoError(t, response.Body.Close())
}

// postMessage returns the response to a message.
func postMessage(t *testing.T, site *httptest.Server, message string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site.URL+path, strings.NewReader(message))
	require.NoError(t, err)
	r.Header = http.Header{
		"Authorization":        {"Bearer token"},
		"Content-Type":         {"application/json"},
		"Accept":               {"application/json, text/event-stream"},
		"Mcp-Protocol-Version": {"2025-06-18"},
	}
	response, err := site.Client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestMessagesAreShortWithoutWrite(t *testing.T) {
	s, _ := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 1, maxWrite: 1 << 20})
	require.Equal(t, 64<<10, s.maxMessage())
	site := httptest.NewServer(s.setDeadlines(s.handler("token")))
	defer site.Close()
	status, _ := postMessage(t, site, fmt.Sprintf(readWith, `{"key":"`+strings.Repeat("x", 64<<10)+`"}`))
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
}

// Text in a string that looks like a part of a message is not parsed as one.
func TestMessagePartsWithinText(t *testing.T) {
	require.False(t, hasManyParts([]byte(`{"text":"`+strings.Repeat(`,{[\"\\`, 2*maxParts)+`"}`)))
	require.True(t, hasManyParts([]byte(`{"text\\":`+strings.Repeat(`[`, maxParts))))
	require.False(t, hasManyParts([]byte(strings.Repeat(`[`, maxParts))))
}

func TestArguments(t *testing.T) {
	schema := schemaOf[writeIn](true)
	readSchema := schemaOf[readIn](true)

	var writeArgs writeIn
	require.NoError(t, decode("write", schema, json.RawMessage(`{"key":"a","text":null,"overwrite":true}`), &writeArgs))
	require.Equal(t, writeIn{Key: "a", Overwrite: true}, writeArgs)

	var readArgs readIn
	text := json.RawMessage(` {"key" : "a" , "offset": 1e3, "length":16.0} `)
	require.NoError(t, decode("read", readSchema, text, &readArgs))
	require.Equal(t, readIn{Key: "a", Offset: 1000, Length: 16}, readArgs)

	// The digits of 1e2 have the same length as the text.
	var sameLength readIn
	require.NoError(t, decode("read", readSchema, json.RawMessage(`{"key":"a","offset":1e2}`), &sameLength))
	require.Equal(t, readIn{Key: "a", Offset: 100}, sameLength)

	tests := []struct{ args, want string }{
		{``, "key must be given"},
		{`null`, "key must be given"},
		{`[]`, "arguments must be an object"},
		{`{"key":1}`, "key must be a string"},
		{`{"key":null}`, "key must be a string"},
		{`{"key":"a","Offset":1}`, `read has no argument "Offset"`},
		{`{"key":"a","offset":"1"}`, "offset must be an integer"},
		{`{"key":"a","offset":1.5}`, "offset must be an integer"},
		{`{"key":"a","offset":1e999}`, "offset must be an integer"},
		{`{"key":"a","offset":9223372036854775807}`, "offset must be at most 9007199254740991"},
	}
	for _, tt := range tests {
		err := decode("read", readSchema, json.RawMessage(tt.args), &readIn{})
		require.EqualError(t, err, "invalid argument: "+tt.want, tt.args)
	}

	err := decode("write", schema, json.RawMessage(`{"key":"a","overwrite":1}`), &writeIn{})
	require.EqualError(t, err, "invalid argument: overwrite must be true or false")
}

// If the server has as many calls as it permits, it still reads from its client.
func TestFullServerReadsOn(t *testing.T) {
	s, w := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 1, maxWrite: 1})
	w.wait = make(chan struct{})
	w.began = make(chan struct{}, 4)
	stdin, stdout := serveOnLines(t, s)
	answer(t, stdin, stdout, strings.TrimSpace(hello))
	for id := range openCalls {
		_, err := fmt.Fprintf(stdin, read, id, 16)
		require.NoError(t, err)
	}

	<-w.began
	require.JSONEq(
		t, `{"jsonrpc":"2.0","id":9,"error":{"code":-32000,"message":"too many open calls; wait for responses"}}`,
		answer(t, stdin, stdout, strings.TrimSpace(fmt.Sprintf(read, 9, 16))),
	)

	pong := answer(t, stdin, stdout, `{"jsonrpc":"2.0","id":10,"method":"ping"}`)
	require.JSONEq(t, `{"jsonrpc":"2.0","id":10,"result":{}}`, pong)
	canceled := answer(t, stdin, stdout, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	require.Contains(t, canceled, "the call was canceled")

	_, err := fmt.Fprintf(stdin, read, 11, 16) // there is room for it
	require.NoError(t, err)
	require.Contains(t, answer(t, stdin, stdout, strings.TrimSpace(fmt.Sprintf(read, 12, 16))), "too many open calls")

	require.NoError(t, stdin.Close())
	require.Eventually(t, func() bool { return w.now.Load() == 0 }, 10*time.Second, time.Millisecond)
}

// The server limits the total size of open calls in bytes.
func TestOpenCallsBoundedInBytes(t *testing.T) {
	l := &lines{maxCalls: 100, open: map[jsonrpc.ID]int{}}
	call := func(n float64) *jsonrpc.Request {
		id, err := jsonrpc.MakeID(n)
		require.NoError(t, err)
		return &jsonrpc.Request{ID: id, Method: methodCall}
	}
	require.NoError(t, l.begin(call(1), openBytes))
	require.ErrorContains(t, l.begin(call(2), 1), "too many open calls")
	l.end(call(1).ID)
	require.NoError(t, l.begin(call(2), 1))
}

// If a client does not read its responses, the server ends its calls after a while. So a call of another client
// succeeds.
func TestHTTPClientReadsNoResponse(t *testing.T) {
	s, _ := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 1, maxWrite: 1})
	s.sendTime = 100 * time.Millisecond
	handler := s.setDeadlines(s.handler("token"))
	site := httptest.NewUnstartedServer(handler)
	site.Listener = smallBuffers{site.Listener}
	site.Start()
	defer site.Close()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", site.Listener.Addr().String())
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.(*net.TCPConn).SetReadBuffer(2048))
	call := fmt.Sprintf(read, 1, maxRead)
	for range 10 {
		_, err = fmt.Fprintf(connection, headers("Authorization: Bearer token\r\n")+"%s", len(call), call)
		require.NoError(t, err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	require.Positive(t, post(ctx, site, strings.NewReader(fmt.Sprintf(read, 1, 16))))
}

type smallBuffers struct{ net.Listener }

func (s smallBuffers) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(2048)
	}
	return c, err
}

func headers(extra string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
		"Accept: application/json, text/event-stream\r\n" + extra + "Content-Length: %d\r\n\r\n"
}

// If a client has no token, it gets an error at once, and the server closes the connection.
func TestHTTPClientWithoutToken(t *testing.T) {
	s, _ := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 1, maxWrite: 1})
	site := httptest.NewServer(s.setDeadlines(s.handler("token")))
	defer site.Close()
	for _, extra := range []string{"", "Origin: https://other.test\r\n"} {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", site.Listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, connection.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = fmt.Fprintf(connection, headers(extra), 1000)
		require.NoError(t, err)

		response, err := io.ReadAll(connection) // until the server closes it
		require.NoError(t, err)
		require.Regexp(t, `^HTTP/1.1 40[13] `, string(response))
		require.NoError(t, connection.Close())
	}
}

func TestAdviceForDamage(t *testing.T) {
	s, _ := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 1, maxWrite: 1})
	s.report = func(error) {}
	err := s.failure(t.Context(), toolRead, storage.ChecksumMismatch)
	require.ErrorContains(t, err, "if a second call fails, its owner must act")
}
