package acl_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// known knows the accounts 1 and 2.
func known(canonicalID string) (string, bool) {
	for _, account := range []string{"1", "2"} {
		if accounts.OwnerOf(account).ID == canonicalID {
			return account, true
		}
	}
	return "", false
}

// OfHeader turns the headers of an ACL into permissions, or fails.
func TestOfHeader(t *testing.T) {
	second := accounts.OwnerOf("2").ID
	const everyone, signed = "http://acs.amazonaws.com/groups/global/AllUsers", "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	for name, test := range map[string]struct {
		header http.Header
		object bool
		code   string   // of the error, or ""
		may    []string // permissions of nobody, account 1 (the owner) and account 2, as "READ 2"
	}{
		"private":            {http.Header{"X-Amz-Acl": {"private"}}, false, "", nil},
		"public-read":        {http.Header{"X-Amz-Acl": {"public-read"}}, false, "", []string{"READ ", "READ 1", "WRITE 1", "READ 2"}},
		"authenticated-read": {http.Header{"X-Amz-Acl": {"authenticated-read"}}, false, "", []string{"READ 1", "WRITE 1", "READ 2"}},
		"for the bucket's owner": {
			http.Header{"X-Amz-Acl": {"bucket-owner-read"}}, true, "", []string{"READ 1", "WRITE 1", "READ 2"},
		},
		"an account":            {http.Header{"X-Amz-Grant-Write": {`id="` + second + `"`}}, false, "", []string{"WRITE 2"}},
		"a group":               {http.Header{"X-Amz-Grant-Read": {`uri="` + everyone + `"`}}, false, "", []string{"READ ", "READ 1", "READ 2"}},
		"two grants":            {http.Header{"X-Amz-Grant-Read": {`uri=` + signed}, "X-Amz-Grant-Full-Control": {"id=" + second}}, false, "", []string{"READ 1", "READ 2", "WRITE 2"}},
		"both kinds of headers": {http.Header{"X-Amz-Acl": {"private"}, "X-Amz-Grant-Read": {"id=" + second}}, false, "InvalidRequest", nil},
		"an unknown name":       {http.Header{"X-Amz-Acl": {"mine"}}, false, "InvalidArgument", nil},
		"an unknown account":    {http.Header{"X-Amz-Grant-Read": {"id=0"}}, false, "InvalidArgument", nil},
		"an unknown group":      {http.Header{"X-Amz-Grant-Read": {"uri=friends"}}, false, "InvalidArgument", nil},
		"an address":            {http.Header{"X-Amz-Grant-Read": {"emailAddress=a@example.com"}}, false, "UnresolvableGrantByEmailAddress", nil},
		"no equals sign":        {http.Header{"X-Amz-Grant-Read": {second}}, false, "InvalidArgument", nil},
	} {
		t.Run(name, func(t *testing.T) {
			list, ok, err := acl.OfHeader(known, test.header, "1", "2", test.object)
			require.True(t, ok)
			if test.code != "" {
				require.True(t, s3error.Is(err, test.code), err)
				return
			}
			require.NoError(t, err)
			var may []string
			for _, account := range []string{"", "1", "2"} {
				for _, permission := range []string{"READ", "WRITE"} {
					if list.Gives(permission, account, nil) {
						may = append(may, permission+" "+account)
					}
				}
			}
			require.Equal(t, test.may, may)
		})
	}
}

// If the public access block ignores public ACLs, grants to everybody have no effect.
func TestBlockIgnoresPublicGrants(t *testing.T) {
	list := acl.List{{Grantee: acl.AllUsers, Permission: acl.PermitRead}}
	require.True(t, list.Public() && list.GrantsOthers("1"))
	require.True(t, list.Gives(acl.PermitRead, "", &acl.Block{BlockPublicAcls: true}))
	require.False(t, list.Gives(acl.PermitRead, "", &acl.Block{IgnorePublicAcls: true}))
}
