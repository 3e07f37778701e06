package main

// fake-gcs-server checks conditions on uploads, generations and resumable sessions.
// It checks no signatures and few other conditions.
var fakeGCS = goTool{module: "fakegcs", pkg: "github.com/fsouza/fake-gcs-server"}

func launchFakeGCS(p instance) (launch, error) {
	name, port, err := splitHost(p)
	if err != nil {
		return launch{}, err
	}
	return launch{
		args: []string{
			"-backend", "memory", "-scheme", "http", "-host", name, "-port", port,
			"-public-host", p.host, // else downloads are looked for at storage.googleapis.com's paths
			"-log-level", "error",
			"-cors-headers", "X-Goog-Content-Length-Range,X-Goog-Hash", // those of signed parts
		},
		ready: "http://" + p.host + "/_internal/healthcheck",
		url:   "http://" + p.host,
	}, nil
}
