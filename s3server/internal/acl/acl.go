// Package acl implements access control lists (ACLs): their grants, and the headers and documents
// that set them.
package acl

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/accounts"
)

// These are the groups to which a grant can give a permission.
const (
	groupPrefix        = "http://acs.amazonaws.com/groups/"
	AllUsers           = groupPrefix + "global/AllUsers"
	authenticatedUsers = groupPrefix + "global/AuthenticatedUsers"
	logDelivery        = groupPrefix + "s3/LogDelivery"
)

// These are the permissions that a grant can give.
const (
	PermitRead     = "READ"
	PermitWrite    = "WRITE"
	permitReadACL  = "READ_ACP"
	permitWriteACL = "WRITE_ACP"
	PermitAll      = "FULL_CONTROL"
)

// permissions has all permissions.
var permissions = []string{PermitRead, PermitWrite, permitReadACL, permitWriteACL, PermitAll}

// A Grant gives a permission to an account or a group. Grantee is the account's canonical id or the
// group's URI.
type Grant struct{ Grantee, Permission string }

// A List is the access control list (ACL) of a bucket or an object. A nil List gives all
// permissions to the owner, and none to anybody else.
type List []Grant

const maxGrants = 100

// BucketPermissions and ObjectPermissions map an action to the permission that an ACL must grant
// for it. An ACL cannot permit any action that is missing here.
var (
	BucketPermissions = map[string]string{
		"s3:ListBucket":                 PermitRead,
		"s3:ListBucketVersions":         PermitRead,
		"s3:ListBucketMultipartUploads": PermitRead,
		"s3:PutObject":                  PermitWrite,
		"s3:DeleteObject":               PermitWrite,
		"s3:GetBucketAcl":               permitReadACL,
		"s3:PutBucketAcl":               permitWriteACL,
	}
	ObjectPermissions = map[string]string{
		"s3:GetObject":                  PermitRead,
		"s3:GetObjectVersion":           PermitRead,
		"s3:GetObjectTorrent":           PermitRead,
		"s3:GetObjectVersionTorrent":    PermitRead,
		"s3:GetObjectAttributes":        PermitRead,
		"s3:GetObjectVersionAttributes": PermitRead,
		"s3:GetObjectAcl":               permitReadACL,
		"s3:GetObjectVersionAcl":        permitReadACL,
		"s3:PutObjectAcl":               permitWriteACL,
		"s3:PutObjectVersionAcl":        permitWriteACL,
	}
)

// Gives reports whether the ACL gives the permission to an account, or to everybody if account is "". block is the
// public access block of the bucket, or nil if there is none.
func (l List) Gives(permission, account string, block *Block) bool {
	return slices.ContainsFunc(l, func(g Grant) bool {
		if g.Permission != permission && g.Permission != PermitAll {
			return false
		}
		if g.public() && block != nil && block.IgnorePublicAcls {
			return false
		}
		if g.Grantee == AllUsers {
			return true
		}
		if g.Grantee == authenticatedUsers {
			return account != ""
		}
		return account != "" && g.Grantee == accounts.OwnerOf(account).ID
	})
}

func (g Grant) public() bool { return g.Grantee == AllUsers || g.Grantee == authenticatedUsers }

// Public reports whether the ACL gives any permission to all users or to all AWS accounts.
func (l List) Public() bool { return slices.ContainsFunc(l, Grant.public) }

// GrantsOthers reports whether the ACL gives any permission to a group or to an account other than
// this one.
func (l List) GrantsOthers(account string) bool {
	return slices.ContainsFunc(l, func(g Grant) bool { return g.Grantee != accounts.OwnerOf(account).ID })
}

// sortedGrants returns the grants in the order of a response, the groups first. account is the owner, who has all
// permissions if there is no ACL.
func (l List) sortedGrants(account string) []Grant {
	if l == nil {
		return []Grant{{accounts.OwnerOf(account).ID, PermitAll}}
	}

	grants := slices.Clone(l)
	rank := func(g Grant) int {
		if strings.HasPrefix(g.Grantee, groupPrefix) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(grants, func(a, b Grant) int { return rank(a) - rank(b) })
	return grants
}

// A Block is a public access block. It limits the permissions that ACLs and policies can give to
// everybody.
type Block struct {
	XMLName               xml.Name `xml:"PublicAccessBlockConfiguration"`
	BlockPublicAcls       bool
	IgnorePublicAcls      bool
	BlockPublicPolicy     bool
	RestrictPublicBuckets bool
}

// Refuses reports whether the public access block forbids setting the ACL l.
func (b *Block) Refuses(l List) bool { return b != nil && b.BlockPublicAcls && l.Public() }
