package s3probe

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/s3"
)

// The report recommends the profile that the server's answers name only if all that it declares was proven.
// Otherwise, it lists what was not proven.
func TestReportNamesProvenProfile(t *testing.T) {
	const but = "The server answers as minio, but profile=minio declares what was not proven here: "
	tests := []struct {
		name   string
		change func(*s3.Profile)
		want   string
	}{
		{"all of it", func(*s3.Profile) {}, "The server answers as minio: open it with profile=minio.\n"},
		{"MinIO before August 2025", func(p *s3.Profile) {
			p.Conditions.Update = false
		}, but + "compare-and-swap on Put.\n"},
		{"a server that ignores checksums", func(p *s3.Profile) {
			p.Checksum = s3.ChecksumNone
		}, but + "the CRC32C of a body, the CRC32C of a multipart upload.\n"},
		{"a server that checks only parts", func(p *s3.Profile) {
			p.Checksum = s3.ChecksumHeader
		}, but + "the CRC32C of a multipart upload.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			proven, _ := s3.NamedProfile("minio")
			tt.change(&proven)
			require.Contains(t, (&Report{Answers: "minio", Profile: proven}).String(), tt.want)
		})
	}
	require.NotContains(t, (&Report{}).String(), "answers")

	unknown := &Report{Profile: s3.Profile{Name: "unknown" + s3.ProbedSuffix}}
	require.Contains(t, unknown.String(), "add profile= to the address: accesspoint, ")
}

// A server cannot write lines of the report.
func TestReportEscapesServerText(t *testing.T) {
	const named = "The server answers as minio: open it with profile=minio."
	report := (&Report{Checks: []Check{{Name: "a copy", Detail: "Oops: \x1b[2J\u009b2J\n" + named + "\n"}}}).String()
	require.NotContains(t, report, "\n"+named)
	require.NotContains(t, report, "\x1b")
	require.NotContains(t, report, "\u009b")
}
