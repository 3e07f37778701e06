package s3probe

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/s3"
)

// A server's answers show which profile fits it. The report recommends this profile if the probe has proven all that
// the profile declares. Otherwise, it lists what was not proven.
func TestReportNamesProvenProfile(t *testing.T) {
	const unproven = "The server answers as minio, but profile=minio declares what was not proven here: "
	tests := []struct {
		name   string
		change func(*s3.Profile) // removes what was not proven from the profile
		want   string
	}{
		{
			name:   "all was proven",
			change: func(*s3.Profile) {},
			want:   "The server answers as minio: open it with profile=minio.\n",
		},
		{
			name: "MinIO before August 2025",
			change: func(p *s3.Profile) {
				p.Conditions.Update = false
			},
			want: unproven + "compare-and-swap on Put.\n",
		},
		{
			name: "a server that ignores checksums",
			change: func(p *s3.Profile) {
				p.Checksum = s3.ChecksumNone
			},
			want: unproven + "the CRC32C of a body, the CRC32C of a multipart upload.\n",
		},
		{
			name: "a server that checks only parts",
			change: func(p *s3.Profile) {
				p.Checksum = s3.ChecksumHeader
			},
			want: unproven + "the CRC32C of a multipart upload.\n",
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			proven, _ := s3.NamedProfile("minio")
			tt.change(&proven)
			report := &Report{Answers: "minio", Profile: proven}
			require.Contains(t, report.String(), tt.want)
		})
	}
}

// A profile has the rules of a known server. If the responses of a server fit no profile, the
// report asks for a profile in the address.
func TestReportOfUnknownServer(t *testing.T) {
	require.NotContains(t, (&Report{}).String(), "answers")

	unknown := &Report{Profile: s3.Profile{Name: "unknown" + s3.ProbedSuffix}}
	require.Contains(t, unknown.String(), "add profile= to the address: accesspoint, ")
}

// A text of the server can neither add a line to the report nor control the terminal.
func TestReportEscapesServerText(t *testing.T) {
	const line = "The server answers as minio: open it with profile=minio."
	report := &Report{
		Checks: []Check{{Name: "a copy", Detail: "Oops: \x1b[2J\u009b2J\n" + line + "\n"}},
	}
	text := report.String()
	require.NotContains(t, text, "\n"+line)
	require.NotContains(t, text, "\x1b")
	require.NotContains(t, text, "\u009b")
}
