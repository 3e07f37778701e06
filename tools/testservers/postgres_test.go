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
	for _, row := range []struct {
		name   string
		answer string // type of the first message in PostgreSQL's protocol
		status int
	}{
		{name: "it asks for a password", answer: "R", status: http.StatusOK},
		{name: "it is starting up", answer: "E", status: http.StatusServiceUnavailable},
	} {
		t.Run(row.name, func(t *testing.T) {
			host, answer := answersOnce(t, row.answer)
			response, err := postgresGreeter(net.Dialer{}).Get("http://" + host)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, row.status, response.StatusCode)
			require.Contains(t, string(<-answer), "user\x00"+postgresUser+"\x00")
		})
	}
}

// A PostgreSQL that closes the connection without a response is not ready.
func TestPostgresThatClosesIsNotReady(t *testing.T) {
	host, _ := answersOnce(t, "")
	response, err := postgresGreeter(net.Dialer{}).Get("http://" + host)
	if err == nil {
		_ = response.Body.Close()
	}
	require.ErrorContains(t, err, "reading the first response")
}

// answersOnce accepts one greeting and returns it.
func answersOnce(t *testing.T, answer string) (host string, asked <-chan []byte) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	said := make(chan []byte, 1)
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
		_, err3 := io.WriteString(connection, answer)
		said <- message
		done <- errors.Join(err, err2, err3, connection.Close())
	}()
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		require.NoError(t, <-done)
	})
	return listener.Addr().String(), said
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
