package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
)

// A server is one that tests can ask for. A new one is a row here, a directory
// with what pins it, and a function that says how it is started.
type server struct {
	name   string
	tool   tool
	launch func(instance) (launch, error)
	// find is in the place of launch where tests start the program themselves:
	// it says where everything is. path is the tool's.
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
}

// A place is where one server lives.
type instance struct {
	dir  string // its own, empty
	host string // with the port, which was free a moment ago
}

// splitHost is the two halves of p's host.
func splitHost(p instance) (name, port string, err error) { return net.SplitHostPort(p.host) }

// A launch is how it is started there.
type launch struct {
	args []string
	env  []string // all that it sees of an environment, but for PATH and HOME

	ready       string       // answers so once the server takes requests
	readyStatus int          // the status; 0 is 200
	client      *http.Client // to ask; nil is net/http's own

	url       string            // where the command finds it
	variables map[string]string // what else the command is told: KEY, SECRET, CA, ACCOUNT, …
}

func names() []string {
	all := make([]string, len(servers))
	for i, s := range servers {
		all[i] = s.name
	}
	return all
}

// choose picks servers by name, in the table's order.
func choose(only string) ([]server, error) {
	if only == "" {
		return servers, nil
	}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("there is no server %q; there are %s", name, strings.Join(names(), ", "))
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

// variable is the name under which the command finds what of a server; "" is
// its address.
func (s server) variable(what string) string {
	name := "OMNIBUCKET_TEST_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
	if what != "" {
		name += "_" + what
	}
	return name
}
