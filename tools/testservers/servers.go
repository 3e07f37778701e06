package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
)

// A server is one that tests can use. To add one, add a row here, a directory that
// pins its version, and a function that returns its launch.
type server struct {
	name   string
	tool   tool
	launch func(instance) (launch, error)
	// find replaces launch if tests start the program themselves. It returns the
	// variables. path is that of the tool.
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

// An instance is the directory and the address of one server.
type instance struct {
	dir  string // empty, and used only by this server
	host string // with a port that was free a moment ago
}

// splitHost returns the host and port of p.
func splitHost(p instance) (name, port string, err error) { return net.SplitHostPort(p.host) }

// A launch has the command line and environment of a server, and its variables for
// tests.
type launch struct {
	args []string
	env  []string // its environment, in addition to PATH and HOME

	ready       string       // URL that responds with readyStatus when the server accepts requests
	readyStatus int          // 0 is 200
	client      *http.Client // for ready; nil is http.DefaultClient

	url       string            // the address for the command
	variables map[string]string // further variables for the command: KEY, SECRET, CA, ACCOUNT, …
}

func names() []string {
	all := make([]string, len(servers))
	for i, s := range servers {
		all[i] = s.name
	}
	return all
}

// choose returns the servers with these names, in the order of the table.
func choose(only string) ([]server, error) {
	if only == "" {
		return servers, nil
	}
	wanted := strings.Split(only, ",")
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

// variable returns the name of an environment variable of a server; that of its
// address if what is "".
func (s server) variable(what string) string {
	name := "OMNIBUCKET_TEST_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
	if what != "" {
		name += "_" + what
	}
	return name
}
