package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProbeNamesTheProfileOfARealServer(t *testing.T) {
	s := newShell(t)
	bucket, parameters := onMinIO(t)
	parameters = strings.Replace(parameters, "profile=minio&", "", 1)
	require.NotContains(t, parameters, "profile")
	s.ok("mb", bucket+parameters)
	_, stderr := s.exits(1, "cp", "--if-absent", "-", bucket+"/a"+parameters)
	require.Contains(t, stderr, "profile=")
	report := s.ok("probe", bucket+"/tmp"+parameters)
	require.Contains(t, report, "The server answers as minio: open it with profile=minio.\n")
	require.Regexp(t, `(?m)^ +enforced +create-only on Put`, report)
	require.Empty(t, s.ok("ls", "-r", bucket+parameters), "it removes what it wrote")
	s.ok("rb", bucket+parameters)
}

func TestProbeIsForS3(t *testing.T) {
	s := newShell(t)
	_, stderr := s.exits(2, "probe", memory(t))
	require.Contains(t, stderr, "s3://")
}
