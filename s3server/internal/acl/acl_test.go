package acl_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// known returns the account of a canonical id. It knows only the accounts 1 and 2.
func known(canonicalID string) (string, bool) {
	for _, account := range []string{"1", "2"} {
		if accounts.OwnerOf(account).ID == canonicalID {
			return account, true
		}
	}
	return "", false
}

// OfHeader turns the headers of an ACL into permissions, or fails. In this test, account 1 writes
// the ACL in a bucket of account 2.
func TestOfHeader(t *testing.T) {
	const owner, bucketOwner = "1", "2"
	second := accounts.OwnerOf(bucketOwner).ID
	const everyone, signed = "http://acs.amazonaws.com/groups/global/AllUsers", "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	tests := []struct {
		name       string
		header     http.Header
		object     bool     // true if the ACL is that of an object
		wantCode   string   // of the error, or ""
		wantGrants []string // permissions of nobody, account 1 (the owner) and account 2, as in "READ 2"
	}{
		{name: "private", header: http.Header{"X-Amz-Acl": {"private"}}},
		{
			name:       "public-read",
			header:     http.Header{"X-Amz-Acl": {"public-read"}},
			wantGrants: []string{"READ ", "READ 1", "WRITE 1", "READ 2"},
		},
		{
			name:       "authenticated-read",
			header:     http.Header{"X-Amz-Acl": {"authenticated-read"}},
			wantGrants: []string{"READ 1", "WRITE 1", "READ 2"},
		},
		{
			name:       "bucket-owner-read",
			header:     http.Header{"X-Amz-Acl": {"bucket-owner-read"}},
			object:     true,
			wantGrants: []string{"READ 1", "WRITE 1", "READ 2"},
		},
		{
			name:       "grant to an account",
			header:     http.Header{"X-Amz-Grant-Write": {`id="` + second + `"`}},
			wantGrants: []string{"WRITE 2"},
		},
		{
			name:       "grant to a group",
			header:     http.Header{"X-Amz-Grant-Read": {`uri="` + everyone + `"`}},
			wantGrants: []string{"READ ", "READ 1", "READ 2"},
		},
		{
			name: "two grants",
			header: http.Header{
				"X-Amz-Grant-Read":         {`uri=` + signed},
				"X-Amz-Grant-Full-Control": {"id=" + second},
			},
			wantGrants: []string{"READ 1", "READ 2", "WRITE 2"},
		},
		{
			name:     "canned ACL and grant",
			header:   http.Header{"X-Amz-Acl": {"private"}, "X-Amz-Grant-Read": {"id=" + second}},
			wantCode: "InvalidRequest",
		},
		{name: "unknown canned ACL", header: http.Header{"X-Amz-Acl": {"mine"}}, wantCode: "InvalidArgument"},
		{
			name:     "grant to an unknown account",
			header:   http.Header{"X-Amz-Grant-Read": {"id=0"}},
			wantCode: "InvalidArgument",
		},
		{
			name:     "grant to an unknown group",
			header:   http.Header{"X-Amz-Grant-Read": {"uri=friends"}},
			wantCode: "InvalidArgument",
		},
		{
			name:     "grant to an email address",
			header:   http.Header{"X-Amz-Grant-Read": {"emailAddress=a@example.com"}},
			wantCode: "UnresolvableGrantByEmailAddress",
		},
		{
			name:     "grant without an equals sign",
			header:   http.Header{"X-Amz-Grant-Read": {second}},
			wantCode: "InvalidArgument",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, ok, err := acl.OfHeader(known, tt.header, owner, bucketOwner, tt.object)
			require.True(t, ok)
			if tt.wantCode != "" {
				require.True(t, s3error.Is(err, tt.wantCode), err)
				return
			}
			require.NoError(t, err)

			// List what each account may do. The empty account stands for requests without a signature.
			var may []string
			for _, account := range []string{"", owner, bucketOwner} {
				for _, permission := range []string{"READ", "WRITE"} {
					if list.Gives(permission, account, nil) {
						may = append(may, permission+" "+account)
					}
				}
			}

			require.Equal(t, tt.wantGrants, may)
		})
	}
}

// If the public access block ignores public ACLs, grants to everybody have no effect.
func TestBlockIgnoresPublicGrants(t *testing.T) {
	list := acl.List{{Grantee: acl.AllUsers, Permission: acl.PermitRead}}
	require.True(t, list.Public())
	require.True(t, list.GrantsOthers("1"))

	require.True(t, list.Gives(acl.PermitRead, "", &acl.Block{BlockPublicAcls: true}))
	require.False(t, list.Gives(acl.PermitRead, "", &acl.Block{IgnorePublicAcls: true}))
}
