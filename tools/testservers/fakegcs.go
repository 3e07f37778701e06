package main

// fakeGCS is the server fake-gcs-server. It supports generations, resumable sessions, and
// conditions for uploads. It checks no signatures, and few other conditions.
var fakeGCS = goTool{module: "fakegcs", pkg: "github.com/fsouza/fake-gcs-server"}

func launchFakeGCS(p instance) (launch, error) {
	name, port, err := splitHost(p)
	if err != nil {
		return launch{}, err
	}
	return launch{
		args: []string{
			"-backend", "memory", "-scheme", "http", "-host", name, "-port", port,
			"-public-host", p.host, // host that requests name; the default is storage.googleapis.com
			"-log-level", "error",
			"-cors-headers", "X-Goog-Content-Length-Range,X-Goog-Hash", // headers of signed requests for parts
		},
		ready: "http://" + p.host + "/_internal/healthcheck",
		url:   "http://" + p.host,
	}, nil
}
