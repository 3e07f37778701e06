package main

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
)

const (
	// mcVariable is the environment variable with the path of mc, which "go build
	// github.com/minio/mc" makes.
	mcVariable = "OMNIBUCKET_MC"
	// awsVariable is the environment variable with the path of aws, Amazon's command line.
	awsVariable = "OMNIBUCKET_AWS"
)

var mcContender = tool{
	name:     "mc, as it comes",
	list:     mcPeer(func(bucket string) []string { return []string{"ls", "-r", bucket} }),
	du:       mcPeer(func(bucket string) []string { return []string{"du", bucket} }),
	remove:   mcPeer(func(bucket string) []string { return []string{"rm", "-r", "--force", bucket} }),
	undelete: mcPeer(func(bucket string) []string { return []string{"undo", "-r", "--force", bucket} }),
}

func mcPeer(args func(bucket string) []string) job {
	return func(e *env, _, bucket string) (*exec.Cmd, error) {
		endpoint, key, secret := e.jobServer()
		server, err := url.Parse(endpoint)
		if err != nil {
			return nil, err
		}
		server.User = url.UserPassword(key, secret)
		configuration, err := e.dir()
		if err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(
			e.ctx, os.Getenv(mcVariable),
			append([]string{"--config-dir", configuration, "--quiet"}, args("peer/"+bucket+"/")...)...)
		cmd.Env = append(os.Environ(), "MC_HOST_peer="+server.String())
		return cmd, nil
	}
}

var awsContender = tool{
	name:   "aws s3, as it comes",
	list:   awsS3(func(bucket string) []string { return []string{"ls", "--recursive", bucket} }),
	du:     awsS3(func(bucket string) []string { return []string{"ls", "--recursive", "--summarize", bucket} }),
	remove: awsS3(func(bucket string) []string { return []string{"rm", "--recursive", bucket} }),
}

func awsS3(args func(bucket string) []string) job {
	return func(e *env, _, bucket string) (*exec.Cmd, error) {
		endpoint, key, secret := e.jobServer()
		cmd := exec.CommandContext(
			e.ctx, os.Getenv(awsVariable),
			append([]string{"--endpoint-url", endpoint, "s3"}, args("s3://"+bucket+"/")...)...)
		cmd.Env = append(os.Environ(), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID="+key, "AWS_SECRET_ACCESS_KEY="+secret)
		return cmd, nil
	}
}

// keepVersions returns a command that makes a bucket keep versions.
func keepVersions(e *env, _, bucket string) (*exec.Cmd, error) {
	return e.commandLine(bucket, func(address string) []string { return []string{"bucket", "--versioning", "on", address} })
}

// A requestCount counts requests by HTTP method.
type requestCount struct {
	mu       sync.Mutex
	byMethod map[string]int
}

const requestCountName = "jobs-request-count"

// countRequests starts a proxy that counts requests, and makes all following jobs use it in place
// of the server.
func (e *env) countRequests() error {
	if _, ok := e.shared[requestCountName]; ok {
		return nil
	}

	endpoint, key, secret := e.jobServer()
	server, err := url.Parse(endpoint)
	if err != nil {
		return err
	}

	count := &requestCount{byMethod: map[string]int{}}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(server)
		// Keep the host, because the signature covers it.
		r.Out.Host = r.In.Host
	}}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.mu.Lock()
		count.byMethod[r.Method]++
		count.mu.Unlock()
		forward.ServeHTTP(w, r)
	}))

	e.cleanup = append(e.cleanup, func() error {
		proxy.Close()
		return nil
	})
	e.shared[requestCountName] = count
	e.shared[jobServerName] = jobServer{
		strings.TrimSuffix(proxy.URL, "/"), key, secret,
	}
	return nil
}

// requestsUntilNow returns the numbers of requests so far, by method. It returns nil if requests
// are not counted.
func (e *env) requestsUntilNow() map[string]int {
	count, ok := e.shared[requestCountName].(*requestCount)
	if !ok {
		return nil
	}
	count.mu.Lock()
	defer count.mu.Unlock()
	return maps.Clone(count.byMethod)
}
