package permissions_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/permissions"
)

// Each operation has the methods that need it, and a heading in docs/permissions.md. An unknown operation has no
// methods.
func TestOperationsHaveACallAndASection(t *testing.T) {
	for _, o := range permissions.Operations() {
		require.Regexp(t, `^[a-z]+(-[a-z]+)*$`, string(o))
		require.NotEmpty(t, o.Section(), o)
		require.NotEmpty(t, o.Call(), o)
	}
	require.Empty(t, permissions.Operation("fly").Call())
}

// For an unknown operation or provider, Needs fails with InvalidArgument, and the error names the known ones.
func TestNeedsRefuseWhatIsUnknown(t *testing.T) {
	_, err := permissions.Operation("fly").Needs(permissions.AWS)
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	require.ErrorContains(t, err, `"fly"`)
	require.ErrorContains(t, err, "upload-if-absent")
	_, err = permissions.Operation("list").Needs("ibm")
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	require.ErrorContains(t, err, "azure-sas")
}

// Needs returns the permissions of an operation by the names that the provider gives them.
func TestNeedsAreWhatTheProviderCalls(t *testing.T) {
	tests := []struct {
		name      string
		operation permissions.Operation
		provider  permissions.Provider
		want      []string
	}{
		{
			name:      "Amazon",
			operation: "remove-version",
			provider:  permissions.AWS,
			want:      []string{"s3:DeleteObjectVersion"},
		},
		{
			name:      "MinIO",
			operation: "remove-version",
			provider:  permissions.MinIO,
			want:      []string{"s3:DeleteObject", "s3:DeleteObjectVersion"},
		},
		{
			name:      "MinIO without keys",
			operation: "upload-encrypted",
			provider:  permissions.MinIO,
			want:      []string{"s3:PutObject"},
		},
		{
			name:      "Google",
			operation: "sign",
			provider:  permissions.Google,
			want:      []string{"iam.serviceAccounts.signBlob"},
		},
		{
			name:      "Azure",
			operation: "remove-all",
			provider:  permissions.Azure,
			want:      []string{"containers/blobs/delete", "containers/write"},
		},
		{
			name:      "letters in a signature's order",
			operation: "move",
			provider:  permissions.AzureSAS,
			want:      []string{"r", "w", "d"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			needs, err := tt.operation.Needs(tt.provider)
			require.NoError(t, err)
			require.Equal(t, tt.want, needs)
		})
	}
}

// Parse takes names of operations and groups, and leaves out those after a "-".
func TestParseKnowsGroupsAndTakesNamesAway(t *testing.T) {
	tests := []struct {
		name  string
		names []string
		want  []permissions.Operation
	}{
		{
			name:  "in the order of the table",
			names: []string{"list", "upload"},
			want:  []permissions.Operation{"upload", "list"},
		},
		{
			name:  "each once",
			names: []string{"list", "list"},
			want:  []permissions.Operation{"list"},
		},
		{
			name:  "a group",
			names: []string{"read"},
			want:  []permissions.Operation{"download", "download-version", "tags"},
		},
		{
			name:  "a group without an operation",
			names: []string{"read", "-tags"},
			want:  []permissions.Operation{"download", "download-version"},
		},
		{
			name:  "the same in the other order",
			names: []string{"-tags", "read"},
			want:  []permissions.Operation{"download", "download-version"},
		},
		{
			name:  "an operation without its group",
			names: []string{"list", "download", "-read"},
			want:  []permissions.Operation{"list"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := permissions.Parse(tt.names...)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// Parse fails with InvalidArgument for unknown names, and for names that together select no operation.
func TestParseRefusesNames(t *testing.T) {
	for _, names := range [][]string{nil, {"fly"}, {"-fly", "list"}, {"list", "-list"}, {""}} {
		_, err := permissions.Parse(names...)
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%q", names)
	}
}

// Each operation of a group is one of Operations.
func TestGroupsHaveOperationsOfTheTable(t *testing.T) {
	for _, g := range permissions.Groups() {
		for _, o := range g.Operations {
			require.True(t, slices.Contains(permissions.Operations(), o), o)
		}
	}
}

// OnlyAfterFailures returns the permissions that a program needs only if a call has failed.
func TestOnlyAfterFailures(t *testing.T) {
	tests := []struct {
		name       string
		operations []permissions.Operation
		provider   permissions.Provider
		want       []string
	}{
		{
			name:       "an upload in parts",
			operations: []permissions.Operation{"upload-parts-failed"},
			provider:   permissions.AWS,
			want:       []string{"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
		},
		{
			name:       "a program that aborts uploads itself",
			operations: []permissions.Operation{"upload-parts", "upload-parts-failed", "abort-upload"},
			provider:   permissions.MinIO,
		},
		{
			name:       "a signature",
			operations: []permissions.Operation{"upload-if-absent", "upload-if-absent-lost"},
			provider:   permissions.AzureSAS,
			want:       []string{"r"},
		},
		{
			name:       "a program that reads",
			operations: []permissions.Operation{"upload-if-absent-lost", "download"},
			provider:   permissions.Google,
		},
		{
			name:       "what is unknown",
			operations: []permissions.Operation{"fly"},
			provider:   permissions.AWS,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			grant := permissions.Grant{Operations: tt.operations}
			require.ElementsMatch(t, tt.want, grant.OnlyAfterFailures(tt.provider))
		})
	}
}

// For MinIO, the policy has s3:ListBucket for list-versions as well, and no further action for tags and missing
// objects.
func TestNeedsOfMinIOAreTheLeast(t *testing.T) {
	documents, err := grant("", "list", "list-versions", "download-missing", "copy-tagged", "upload-with-tags").
		Documents(permissions.MinIO)
	require.NoError(t, err)
	policy := parseForm[amazonForm](t, documents[0].Text)
	require.Equal(t, []string{"s3:ListBucket"}, policy.Statement[0].Action)
	require.Equal(t, []string{"s3:GetObject", "s3:PutObject"}, policy.Statement[1].Action)
}
