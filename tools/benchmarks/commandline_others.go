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
	list:     mcJob("ls", "-r", mcBucket),
	du:       mcJob("du", mcBucket),
	remove:   mcJob("rm", "-r", "--force", mcBucket),
	undelete: mcJob("undo", "-r", "--force", mcBucket),
}

// mcBucket stands for the bucket of the job in the arguments of mc.
const mcBucket = "peer/" + bucketArg + "/"

// mcJob returns a job that runs mc, the command line of MinIO, with an empty configuration. An
// environment variable names the server.
func mcJob(args ...string) job {
	return func(e *env, dir, bucket string) (*exec.Cmd, error) {
		server := e.jobServer()
		host, err := url.Parse(server.endpoint)
		if err != nil {
			return nil, err
		}
		host.User = url.UserPassword(server.key, server.secret)
		configuration, err := e.dir()
		if err != nil {
			return nil, err
		}
		options := []string{"--config-dir", configuration, "--quiet"}
		cmd := exec.CommandContext(e.ctx, os.Getenv(mcVariable), append(options, fillArgs(args, dir, bucket)...)...)
		cmd.Env = append(os.Environ(), "MC_HOST_peer="+host.String())
		return cmd, nil
	}
}

var awsContender = tool{
	name:   "aws s3, as it comes",
	list:   awsJob("ls", "--recursive", awsBucket),
	du:     awsJob("ls", "--recursive", "--summarize", awsBucket),
	remove: awsJob("rm", "--recursive", awsBucket),
}

// awsBucket stands for the bucket of the job in the arguments of aws.
const awsBucket = "s3://" + bucketArg + "/"

func awsJob(args ...string) job {
	return func(e *env, dir, bucket string) (*exec.Cmd, error) {
		server := e.jobServer()
		options := []string{"--endpoint-url", server.endpoint, "s3"}
		cmd := exec.CommandContext(e.ctx, os.Getenv(awsVariable), append(options, fillArgs(args, dir, bucket)...)...)
		cmd.Env = append(
			os.Environ(), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID="+server.key,
			"AWS_SECRET_ACCESS_KEY="+server.secret,
		)
		return cmd, nil
	}
}

// keepVersions makes a bucket keep versions.
var keepVersions = commandLine("bucket", "--versioning", "on", bucketArg)

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

	target := e.jobServer()
	targetURL, err := url.Parse(target.endpoint)
	if err != nil {
		return err
	}

	count := &requestCount{byMethod: map[string]int{}}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(targetURL)
		// Keep the host, because the signature covers it.
		r.Out.Host = r.In.Host
	}}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.mu.Lock()
		count.byMethod[r.Method]++
		count.mu.Unlock()
		forward.ServeHTTP(w, r)
	}))

	e.closeAtEnd(proxy.Close)
	e.shared[requestCountName] = count
	e.shared[jobServerName] = jobServer{strings.TrimSuffix(proxy.URL, "/"), target.key, target.secret}
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
