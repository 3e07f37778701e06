package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// actVariable makes the program of the test a server.
const actVariable = "TESTSERVERS_ACT"

func TestMain(m *testing.M) {
	if act := os.Getenv(actVariable); act != "" {
		os.Exit(serve(act, os.Args[1]))
	}
	os.Exit(m.Run())
}

// serve runs a server on host that behaves as act says.
func serve(act, host string) int {
	answer := func() int { return http.StatusOK }
	act, dir, _ := strings.Cut(act, " in ")
	switch act {
	case "ends":
		fmt.Println("cannot go on")
		return 3
	case "never ready":
		fmt.Println("still loading")
		answer = func() int { return http.StatusServiceUnavailable }
	case "two":
		answer = alone(dir)
	}
	server := &http.Server{Addr: host, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answer())
	})}
	if err := server.ListenAndServe(); err != nil {
		fmt.Println(err)
	}
	return 1
}

// alone becomes ready only after two servers have written a file to dir.
func alone(dir string) func() int {
	if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(os.Getpid())), nil, 0o600); err != nil {
		fmt.Println(err)
	}
	return func() int {
		if notes, err := os.ReadDir(dir); err != nil || len(notes) < 2 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}
}

// acting returns a launch of that server.
func acting(act string) func(instance) (launch, error) {
	return func(p instance) (launch, error) {
		return launch{
			args:      []string{p.host},
			env:       []string{actVariable + "=" + act},
			ready:     "http://" + p.host,
			url:       "http://" + p.host,
			variables: map[string]string{"KEY": "a key"},
		}, nil
	}
}
