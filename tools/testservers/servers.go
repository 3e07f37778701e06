package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
)

// A server is a server that tests can use. To add a server, add a row to servers, and a directory
// that pins the server's version. Also add a function that returns how to start the server, as a
// value of the type launch.
type server struct {
	name   string
	tool   tool
	launch func(instance) (launch, error)
	// find is used in place of launch if tests start the program themselves. It returns the
	// environment variables for the tests. path is the path of the built tool.
	find func(ctx context.Context, path string) (launch, error)
}

var servers = []server{
	{name: "minio", tool: minio, launch: launchMinIO},
	{name: "minio-tls", tool: minio, launch: launchMinIOWithTLS},
	{name: "versitygw", tool: versitygw, launch: launchVersityGW},
	{name: "gcs", tool: fakeGCS, launch: launchFakeGCS},
	{name: "azurite", tool: azurite, launch: launchAzurite},
	{name: "postgres", tool: postgres, launch: launchPostgres},
	{name: "chromium", tool: playwright, find: findChromium},
	{name: "uploadclients", tool: uploadClients, find: findUploadClients},
}

// An instance holds the directory and the address with which a server is started.
type instance struct {
	dir  string // empty directory that only this server may use
	host string // address whose port was free a moment ago
}

// splitHost splits p.host into the host and the port.
func splitHost(p instance) (name, port string, err error) { return net.SplitHostPort(p.host) }

// A launch describes how to start a server: its command line, its environment, and the environment
// variables for tests.
type launch struct {
	args []string
	env  []string // environment in addition to PATH and HOME

	ready       string       // URL whose response has readyStatus when the server accepts requests
	readyStatus int          // 0 means 200
	client      *http.Client // HTTP client for ready; nil means http.DefaultClient

	url       string            // address of the server, for tests
	variables map[string]string // values for further environment variables, such as KEY, SECRET, CA and ACCOUNT
}

func names() []string {
	all := make([]string, len(servers))
	for i, s := range servers {
		all[i] = s.name
	}
	return all
}

// choose returns the named servers, in the order of the table servers. The names are separated by
// commas. If no name is given, choose returns all servers.
func choose(filter string) ([]server, error) {
	if filter == "" {
		return servers, nil
	}
	wanted := strings.Split(filter, ",")
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("unknown server %q; the servers are %s", name, strings.Join(names(), ", "))
		}
	}
	var chosen []server
	for _, s := range servers {
		if slices.Contains(wanted, s.name) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// variable returns the name of an environment variable of the server. what is the
// suffix of the name, such as "KEY". The variable with the address has the suffix "".
func (s server) variable(what string) string {
	name := "OMNIBUCKET_TEST_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
	if what != "" {
		name += "_" + what
	}
	return name
}
