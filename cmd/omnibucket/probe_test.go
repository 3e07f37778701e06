package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// probe names the profile of a server and removes what it wrote.
func TestProbeNamesTheProfileOfARealServer(t *testing.T) {
	s := newShell(t)
	bucket, parameters := newMinIOBucket(t)

	// Without the profile, cp refuses the condition --if-absent.
	parameters = strings.Replace(parameters, "profile=minio&", "", 1)
	require.NotContains(t, parameters, "profile")
	s.run("mb", bucket+parameters)
	_, stderr := s.requireExit(exitFailure, "cp", "--if-absent", "-", bucket+"/a"+parameters)
	require.Contains(t, stderr, "profile=")

	// probe names the profile, and says that the server enforces this condition.
	report := s.run("probe", bucket+"/tmp"+parameters)
	require.Contains(t, report, "The server answers as minio: open it with profile=minio.\n")
	require.Regexp(t, `(?m)^ +enforced +create-only on Put`, report)

	// Nothing is left in the bucket.
	require.Empty(t, s.run("ls", "-r", bucket+parameters))
	s.run("rb", bucket+parameters)
}

// probe sends no concurrent requests. If the profile in the address says that a condition fails under such requests,
// probe reports the condition as ignored.
func TestProbeKnowsTheRacesOfTheProfileInTheAddress(t *testing.T) {
	server, err := s3server.Start(s3server.Config{Strict: true, Buckets: []string{"photos"}})
	require.NoError(t, err)
	defer server.Close()
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.DefaultAccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.DefaultSecretKey)

	address := "s3://photos/tmp?path_style=true&region=" + s3server.DefaultRegion + "&endpoint=" + server.URL

	// Without a profile, probe reports the condition as enforced.
	require.Regexp(t, `(?m)^ +enforced +create-only on Put`, s.run("probe", address))

	// The profile of Garage says that the condition fails under concurrent requests.
	var report probeLine
	require.NoError(t, json.Unmarshal([]byte(s.run("probe", "--json", address+"&profile=garage")), &report))
	require.Equal(t, "photos", report.Bucket)
	verdicts := map[string]string{}
	for _, check := range report.Checks {
		verdicts[check.Name] = check.Verdict
	}
	require.Equal(t, "ignored", verdicts["create-only on Put"])
}

// probe refuses stores that are not S3.
func TestProbeIsForS3(t *testing.T) {
	s := newShell(t)
	_, stderr := s.requireExit(exitUsage, "probe", newMemoryAddress(t))
	require.Contains(t, stderr, "s3://")
}
