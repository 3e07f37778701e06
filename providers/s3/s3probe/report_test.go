package s3probe

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/s3"
)

func TestTheReportNamesAProfileThatDeclaresNoMoreThanWasProven(t *testing.T) {
	named, _ := s3.NamedProfile("minio")
	proven := named.Conditions
	require.Contains(t, (&Report{Answers: "minio", Profile: s3.Profile{Conditions: proven}}).String(),
		"The server answers as minio: open it with profile=minio.\n")
	proven.Update = false // MinIO before August 2025
	require.Contains(t, (&Report{Answers: "minio", Profile: s3.Profile{Conditions: proven}}).String(),
		"The server answers as minio, but profile=minio declares what was not proven here: compare-and-swap on Put.\n")
	require.NotContains(t, (&Report{}).String(), "answers")
}
