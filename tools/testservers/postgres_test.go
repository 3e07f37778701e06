package main

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A PostgreSQL that asks a client for its password is ready, and one that responds with an error is not.
func TestPostgresIsReadyWhenItAsksWhoItIs(t *testing.T) {
	tests := []struct {
		name       string
		response   string // type of the first message in PostgreSQL's protocol
		wantStatus int
	}{
		{name: "asks for a password", response: "R", wantStatus: http.StatusOK},
		{name: "is starting up", response: "E", wantStatus: http.StatusServiceUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host, greeting := fakePostgres(t, tt.response)
			response, err := postgresGreeter(net.Dialer{}).Get("http://" + host)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, tt.wantStatus, response.StatusCode)

			// The greeting has the name of the user.
			require.Contains(t, string(<-greeting), "user\x00"+postgresUser+"\x00")
		})
	}
}

// A PostgreSQL that closes the connection without a response is not ready.
func TestPostgresThatClosesIsNotReady(t *testing.T) {
	host, _ := fakePostgres(t, "")
	response, err := postgresGreeter(net.Dialer{}).Get("http://" + host)
	if err == nil {
		_ = response.Body.Close()
	}
	require.ErrorContains(t, err, "reading the first response")
}

// fakePostgres accepts one connection, and sends a response to its greeting. It returns its host and the greeting.
func fakePostgres(t *testing.T, response string) (host string, greeting <-chan []byte) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	greetings := make(chan []byte, 1)
	done := make(chan error, 1)
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			done <- err
			return
		}
		var length [4]byte
		_, err = io.ReadFull(connection, length[:])
		message := make([]byte, max(0, int(binary.BigEndian.Uint32(length[:]))-len(length)))
		_, err2 := io.ReadFull(connection, message)
		_, err3 := io.WriteString(connection, response)
		greetings <- message
		done <- errors.Join(err, err2, err3, connection.Close())
	}()
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		require.NoError(t, <-done)
	})
	return listener.Addr().String(), greetings
}

// postgresVersion compares versions as numbers: 15 is later than 9.
func TestPostgresLatestVersion(t *testing.T) {
	require.Greater(t, postgresVersion("/usr/lib/postgresql/15/bin"), postgresVersion("/usr/lib/postgresql/9/bin"))
	require.Zero(t, postgresVersion("/opt/postgres/bin"))
}

func TestPostgresProgramsAreFoundInThePath(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"postgres", "initdb"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755))
	}
	t.Setenv("PATH", t.TempDir()+string(filepath.ListSeparator)+dir)
	value, err := postgresPrograms()
	require.NoError(t, err)
	require.Equal(t, dir, value)
}
