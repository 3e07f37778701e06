package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// A greeting is a RoundTripper that asks PostgreSQL whether it accepts clients. PostgreSQL does not
// use HTTP, but the caller expects an HTTP response. Its status is 200, or 503 while PostgreSQL is
// starting. https://www.postgresql.org/docs/current/protocol-flow.html
type greeting struct{ dialer net.Dialer }

func postgresGreeter(d net.Dialer) *http.Client {
	return &http.Client{Transport: greeting{d}}
}

const (
	postgresProtocol      = 3 << 16 // version 3.0
	postgresAuthenticates = 'R'     // first byte of a response that asks for the password; an error begins with 'E'
)

// RoundTrip sends the first message of a PostgreSQL client to the host of the request. The status of
// its response is 200 if PostgreSQL asks for authentication, and 503 if it reports an error.
func (g greeting) RoundTrip(r *http.Request) (*http.Response, error) {
	connection, err := g.dialer.DialContext(r.Context(), "tcp", r.URL.Host)
	if err != nil {
		return nil, err
	}
	defer connection.Close()

	if deadline, hasDeadline := r.Context().Deadline(); hasDeadline {
		if err := connection.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	if _, err := connection.Write(startupMessage(postgresUser)); err != nil {
		return nil, err
	}

	// The first byte says which kind of message the response is.
	var kind [1]byte
	if _, err := io.ReadFull(connection, kind[:]); err != nil {
		return nil, fmt.Errorf("reading the first response: %w", err)
	}

	status := http.StatusServiceUnavailable
	if kind[0] == postgresAuthenticates {
		status = http.StatusOK
	}
	return &http.Response{
		StatusCode: status,
		Status:     http.StatusText(status),
		Body:       http.NoBody,
		Request:    r,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
	}, nil
}

// startupMessage returns the first message that a client of PostgreSQL sends. It consists of its
// length, the version of the protocol, and settings that end with a zero byte.
func startupMessage(user string) []byte {
	settings := strings.Join([]string{"user", user, "database", "postgres", ""}, "\x00") + "\x00"
	const head = 8
	message := make([]byte, head, head+len(settings))
	binary.BigEndian.PutUint32(message, uint32(head+len(settings)))
	binary.BigEndian.PutUint32(message[4:], postgresProtocol)
	return append(message, settings...)
}
