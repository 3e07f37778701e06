package permissions_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/permissions"
)

// Each operation has a lowercase name with hyphens, the methods that need it, and a heading in docs/permissions.md.
func TestOperationsHaveACallAndASection(t *testing.T) {
	for _, operation := range permissions.Operations() {
		require.Regexp(t, `^[a-z]+(-[a-z]+)*$`, string(operation))
		require.NotEmpty(t, operation.Section(), operation)
		require.NotEmpty(t, operation.Call(), operation)
	}
}

// An unknown operation has no calls of the library.
func TestUnknownOperationHasNoCall(t *testing.T) {
	require.Empty(t, permissions.Operation("fly").Call())
}

// Needs fails with InvalidArgument for an unknown operation or provider, and the error names the known ones.
func TestNeedsRefuseWhatIsUnknown(t *testing.T) {
	t.Run("operation", func(t *testing.T) {
		_, err := permissions.Operation("fly").Needs(permissions.AWS)
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
		require.ErrorContains(t, err, `"fly"`)
		require.ErrorContains(t, err, "upload-if-absent")
	})
	t.Run("provider", func(t *testing.T) {
		_, err := permissions.Operation("list").Needs("ibm")
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
		require.ErrorContains(t, err, "azure-sas")
	})
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
			name:      "MinIO, which needs no permission for encryption",
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
			name:      "Azure signature, whose letters have an order",
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

// Parse replaces a group by its operations, and leaves out operations and groups after a "-".
func TestParseExpandsGroupsAndLeavesOutNames(t *testing.T) {
	tests := []struct {
		name  string
		names []string
		want  []permissions.Operation
	}{
		{
			name:  "operations in the order of Operations",
			names: []string{"list", "upload"},
			want:  []permissions.Operation{"upload", "list"},
		},
		{
			name:  "a repeated operation",
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
			name:  "a group after an operation to leave out",
			names: []string{"-tags", "read"},
			want:  []permissions.Operation{"download", "download-version"},
		},
		{
			name:  "operations without those of a group",
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
	tests := []struct {
		name  string
		names []string
	}{
		{name: "no name", names: nil},
		{name: "an empty name", names: []string{""}},
		{name: "an unknown name", names: []string{"fly"}},
		{name: "an unknown name to leave out", names: []string{"-fly", "list"}},
		{name: "nothing left", names: []string{"list", "-list"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := permissions.Parse(tt.names...)
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
		})
	}
}

// Groups have no operation that Operations lacks.
func TestGroupsHaveOperationsOfTheTable(t *testing.T) {
	known := permissions.Operations()
	for _, group := range permissions.Groups() {
		for _, operation := range group.Operations {
			require.True(t, slices.Contains(known, operation), operation)
		}
	}
}

// OnlyAfterFailures returns the permissions that a program needs only after a call has failed, and for no other
// operation.
func TestOnlyAfterFailures(t *testing.T) {
	tests := []struct {
		name       string
		operations []permissions.Operation
		provider   permissions.Provider
		want       []string // permissions in the provider's terms, nil for none
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
			name:       "an upload with IfAbsent",
			operations: []permissions.Operation{"upload-if-absent", "upload-if-absent-lost"},
			provider:   permissions.AzureSAS,
			want:       []string{"r"},
		},
		{
			name:       "a program that reads anyway",
			operations: []permissions.Operation{"upload-if-absent-lost", "download"},
			provider:   permissions.Google,
		},
		{
			name:       "an unknown operation",
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

// A policy for MinIO has no unnecessary action: s3:ListBucket is enough for list-versions, and neither tags nor
// missing objects need an action of their own.
func TestMinIOPolicyHasNoUnnecessaryAction(t *testing.T) {
	documents, err := grant("", "list", "list-versions", "download-missing", "copy-tagged", "upload-with-tags").
		Documents(permissions.MinIO)
	require.NoError(t, err)

	policy := parseForm[amazonForm](t, documents[0].Text)
	listing := policy.Statement[0]
	objects := policy.Statement[1]
	require.Equal(t, []string{"s3:ListBucket"}, listing.Action)
	require.Equal(t, []string{"s3:GetObject", "s3:PutObject"}, objects.Action)
}
