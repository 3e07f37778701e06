package main

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"
)

// actVariable makes a server of the test's own program.
const actVariable = "TESTSERVERS_ACT"

func TestMain(m *testing.M) {
	if act := os.Getenv(actVariable); act != "" {
		os.Exit(serve(act, os.Args[1]))
	}
	os.Exit(m.Run())
}

// serve is a server on host that behaves as act says.
func serve(act, host string) int {
	answer := http.StatusOK
	switch act {
	case "ends":
		fmt.Println("cannot go on")
		return 3
	case "never ready":
		fmt.Println("still loading")
		answer = http.StatusServiceUnavailable
	}
	server := &http.Server{Addr: host, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answer)
	})}
	if err := server.ListenAndServe(); err != nil {
		fmt.Println(err)
	}
	return 1
}

// acting is a launch of that server.
func acting(act string) func(place) (launch, error) {
	return func(p place) (launch, error) {
		return launch{
			args:      []string{p.host},
			env:       []string{actVariable + "=" + act},
			ready:     "http://" + p.host,
			url:       "http://" + p.host,
			variables: map[string]string{"KEY": "a key"},
		}, nil
	}
}
