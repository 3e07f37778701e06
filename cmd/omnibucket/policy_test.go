package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/permissions"
)

// A provider needs documents to permit operations. policy prints the documents for the provider of
// a location.
func TestPolicyPrintsTheDocumentsOfTheProvider(t *testing.T) {
	s := newShell(t)
	s.setLocation("users", "s3://photos/users/?region=eu-west-1")
	tests := []struct {
		name string
		args []string
		want []string // parts of the output
	}{
		{
			name: "Amazon",
			args: []string{"--for", "list,download", "s3://photos/users/"},
			want: []string{`"arn:aws:s3:::photos/users/*"`, `"s3:prefix": "users/*"`},
		},
		{
			name: "Amazon in China",
			args: []string{"--for", "download", "s3://photos?region=cn-north-1"},
			want: []string{`"arn:aws-cn:s3:::photos/*"`},
		},
		{
			name: "the name of a location",
			args: []string{"--for", "download", "users:2026/"},
			want: []string{`"arn:aws:s3:::photos/users/2026/*"`},
		},
		{
			name: "a prefix by its flag",
			args: []string{"--for", "download", "--prefix", "a*", "s3://photos"},
			want: []string{`"arn:aws:s3:::photos/a${*}*"`},
		},
		{
			name: "an operation that is left out",
			args: []string{"--for", "read,-tags", "s3://photos"},
			want: []string{`"s3:GetObject",` + "\n        " + `"s3:GetObjectVersion"`},
		},
		{
			name: "MinIO",
			args: []string{"--for", "remove-version", "s3://photos?profile=minio&endpoint=http://127.0.0.1:9000"},
			want: []string{`"s3:DeleteObject",`},
		},
		{
			name: "an address of AWS with the documents of MinIO",
			args: []string{"--for", "remove-version", "--provider", "minio", "s3://photos"},
			want: []string{`"s3:DeleteObject",`},
		},
		{
			name: "a key of KMS",
			args: []string{
				"--for", "download-encrypted",
				"--kms-key", "arn:aws:kms:eu-west-1:111122223333:key/1234", "s3://photos",
			},
			want: []string{`"Resource": "arn:aws:kms:eu-west-1:111122223333:key/1234"`},
		},
		{
			name: "Google",
			args: []string{"--for", "download", "gs://photos/users/"},
			want: []string{"# role: ", `"storage.objects.get"`, "\n# binding: ", `objects/users/`},
		},
		{
			name: "Azure",
			args: []string{"--for", "download", "azblob://photos/users/?account=acme"},
			want: []string{"# role: ", "containers/blobs/read", "\n# condition: ", "StringStartsWith 'users/'"},
		},
		{
			name: "a signature of Azure",
			args: []string{"--for", "download,list", "--provider", "azure-sas", "azblob://photos?account=acme"},
			want: []string{"sr=c&sp=rl\n"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			output := s.run(append([]string{"policy"}, tt.args...)...)
			for _, want := range tt.want {
				require.Contains(t, output, want)
			}
		})
	}
}

// The command "policy" says that on MinIO the permission to read includes old versions.
func TestPolicyOfMinIOSaysThatReadsIncludeVersions(t *testing.T) {
	s := newShell(t)
	_, stderr := s.requireExit(exitOK, "policy", "--for", "download", "--provider", "minio", "s3://photos/users/")
	require.Contains(t, stderr, "noncurrent versions")

	// Uploads read nothing.
	_, stderr = s.requireExit(exitOK, "policy", "--for", "upload", "--provider", "minio", "s3://photos/users/")
	require.Empty(t, stderr)
}

// policy names on standard error the permissions that are only needed after a failed request.
func TestPolicyNamesWhatOnlyFailuresNeed(t *testing.T) {
	s := newShell(t)
	tests := []struct {
		name, location, want string
	}{
		{
			name:     "Amazon",
			location: "s3://photos",
			want:     "only failures need s3:AbortMultipartUpload, s3:GetObject, s3:ListMultipartUploadParts\n",
		},
		{name: "Google", location: "gs://photos", want: "only failures need storage.objects.get\n"},
		{
			name:     "Azure",
			location: "azblob://photos?account=acme",
			want:     "only failures need containers/blobs/read\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, stderr := s.requireExit(exitOK, "policy", "--for", "write,upload-if-absent-lost", tt.location)
			require.Equal(t, tt.want, stderr)
		})
	}

	// Reads need storage.objects.get even without a failure.
	_, stderr := s.requireExit(exitOK, "policy", "--for", "read,write,upload-if-absent-lost", "gs://photos")
	require.Empty(t, stderr)
}

// In JSON, each document has the permissions that are only needed after a failure.
func TestPolicyInJSONNamesWhatOnlyFailuresNeed(t *testing.T) {
	s := newShell(t)
	var line policyLine
	require.NoError(t, json.Unmarshal([]byte(s.run("policy", "--json", "--for", "write", "s3://photos")), &line))
	require.Equal(t, []string{"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}, line.OnlyAfterFailures)
}

// policy --json prints one line for each document.
func TestPolicyInJSONHasALineForEachDocument(t *testing.T) {
	s := newShell(t)
	lines := strings.Split(strings.TrimSpace(s.run("policy", "--json", "--for", "download", "gs://photos")), "\n")
	require.Len(t, lines, 2, "a role and a binding")

	var binding policyLine
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &binding))
	require.Equal(t, "binding", binding.Name)
	require.True(t, json.Valid([]byte(binding.Text)), binding.Text)
}

// policy refuses operations and locations for which there is no document.
func TestPolicyRefuses(t *testing.T) {
	s := newShell(t)
	tests := []struct {
		name     string
		args     []string
		wantExit int
		wantErr  string // on standard error
	}{
		{
			name:     "no operation",
			args:     []string{"s3://photos"},
			wantExit: exitUsage,
			wantErr:  "--for must name operations",
		},
		{
			name:     "an unknown operation",
			args:     []string{"--for", "fly", "s3://photos"},
			wantExit: exitUsage,
			wantErr:  "upload-if-absent",
		},
		{
			name:     "an unknown provider",
			args:     []string{"--for", "list", "--provider", "ibm", "s3://photos"},
			wantExit: exitUsage,
			wantErr:  "azure-sas",
		},
		{
			name:     "a server of an unknown kind",
			args:     []string{"--for", "list", "s3://photos?endpoint=http://127.0.0.1:1"},
			wantExit: exitUsage,
			wantErr:  "--provider minio",
		},
		{
			name:     "wildcards",
			args:     []string{"--for", "list", "s3://photos/a*"},
			wantExit: exitUsage,
			wantErr:  "--prefix",
		},
		{
			name:     "a key and a prefix",
			args:     []string{"--for", "list", "--prefix", "a", "s3://photos/b"},
			wantExit: exitUsage,
			wantErr:  "--prefix",
		},
		{
			name:     "an empty prefix",
			args:     []string{"--for", "list", "--prefix", "", "s3://photos"},
			wantExit: exitUsage,
			wantErr:  "--prefix",
		},
		{
			name:     "an encrypted upload without a key of KMS",
			args:     []string{"--for", "upload-encrypted", "s3://photos"},
			wantExit: exitUsage,
			wantErr:  "KMSKey must be the ARN",
		},
		{
			name:     "a malformed query",
			args:     []string{"--for", "list", "s3://photos?region=%zz"},
			wantExit: exitUsage,
			wantErr:  "valid query",
		},
		{
			name:     "an account",
			args:     []string{"--for", "list", "s3://"},
			wantExit: exitUsage,
			wantErr:  "must have a bucket",
		},
		{
			name:     "a location that is a directory",
			args:     []string{"--for", "list", newDirectoryAddress(t)},
			wantExit: exitFailure,
			wantErr:  "have no policies",
		},
		{
			name:     "a location in memory",
			args:     []string{"--for", "list", newMemoryAddress(t)},
			wantExit: exitFailure,
			wantErr:  "have no policies",
		},
		{
			name:     "a listing of MinIO",
			args:     []string{"--for", "read,list", "--provider", "minio", "s3://photos/users/"},
			wantExit: exitFailure,
			wantErr:  "s3:prefix",
		},
		{
			name:     "operations that cannot be limited to a prefix",
			args:     []string{"--for", "everything", "s3://photos/users/"},
			wantExit: exitFailure,
			wantErr:  "list-uploads",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			_, stderr := s.requireExit(tt.wantExit, append([]string{"policy"}, tt.args...)...)
			require.Contains(t, stderr, tt.wantErr)
		})
	}
}

// "policy --help" lists every operation.
func TestPolicyHelpHasEveryOperation(t *testing.T) {
	help := newShell(t).run("policy", "--help")
	for _, o := range permissions.Operations() {
		require.Contains(t, help, "\n  "+string(o)+" ")
	}
}
