// Package acl has access control lists: their grants, headers and documents.
package acl

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/accounts"
)

// The groups that a grant can name.
const (
	groupPrefix        = "http://acs.amazonaws.com/groups/"
	AllUsers           = groupPrefix + "global/AllUsers"
	authenticatedUsers = groupPrefix + "global/AuthenticatedUsers"
	logDelivery        = groupPrefix + "s3/LogDelivery"
)

// The permissions that a grant can give.
const (
	PermitRead     = "READ"
	PermitWrite    = "WRITE"
	permitReadACL  = "READ_ACP"
	permitWriteACL = "WRITE_ACP"
	PermitAll      = "FULL_CONTROL"
)

// A Grant gives a permission to an account, by its canonical id, or to a group, by its
// URI.
type Grant struct{ Grantee, Permission string }

// A List is the list of a bucket or an object. Nil gives everything to the owner
// and nothing to anybody else.
type List []Grant

const maxGrants = 100

// The permissions that lists give for actions on buckets and on objects. A list cannot permit
// any other action.
var (
	BucketPermissions = map[string]string{
		"s3:ListBucket": PermitRead, "s3:ListBucketVersions": PermitRead, "s3:ListBucketMultipartUploads": PermitRead,
		"s3:PutObject": PermitWrite, "s3:DeleteObject": PermitWrite,
		"s3:GetBucketAcl": permitReadACL, "s3:PutBucketAcl": permitWriteACL,
	}
	ObjectPermissions = map[string]string{
		"s3:GetObject": PermitRead, "s3:GetObjectVersion": PermitRead, "s3:GetObjectTorrent": PermitRead, "s3:GetObjectVersionTorrent": PermitRead,
		"s3:GetObjectAttributes": PermitRead, "s3:GetObjectVersionAttributes": PermitRead,
		"s3:GetObjectAcl": permitReadACL, "s3:GetObjectVersionAcl": permitReadACL,
		"s3:PutObjectAcl": permitWriteACL, "s3:PutObjectVersionAcl": permitWriteACL,
	}
)

// Gives reports whether the list gives a permission to an account, or to everybody if account
// is "".
func (l List) Gives(permission, account string, block *Block) bool {
	return slices.ContainsFunc(l, func(g Grant) bool {
		if g.Permission != permission && g.Permission != PermitAll {
			return false
		}
		switch {
		case g.public() && block != nil && block.IgnorePublicAcls:
			return false
		case g.Grantee == AllUsers:
			return true
		case g.Grantee == authenticatedUsers:
			return account != ""
		}
		return account != "" && g.Grantee == accounts.OwnerOf(account).ID
	})
}

func (g Grant) public() bool { return g.Grantee == AllUsers || g.Grantee == authenticatedUsers }

// Public reports whether the list gives anybody anything.
func (l List) Public() bool { return slices.ContainsFunc(l, Grant.public) }

// GrantsOthers reports whether the list gives anything to another account or to a group.
func (l List) GrantsOthers(account string) bool {
	return slices.ContainsFunc(l, func(g Grant) bool { return g.Grantee != accounts.OwnerOf(account).ID })
}

// shown returns the grants as a response shows them: groups first.
func (l List) shown(account string) []Grant {
	if l == nil {
		return []Grant{{accounts.OwnerOf(account).ID, PermitAll}}
	}
	shown := slices.Clone(l)
	rank := func(g Grant) int {
		if strings.HasPrefix(g.Grantee, groupPrefix) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(shown, func(a, b Grant) int { return rank(a) - rank(b) })
	return shown
}

// A Block restricts what lists and policies can give to the public.
type Block struct {
	XMLName               xml.Name `xml:"PublicAccessBlockConfiguration"`
	BlockPublicAcls       bool
	IgnorePublicAcls      bool
	BlockPublicPolicy     bool
	RestrictPublicBuckets bool
}

// Refuses reports whether the block forbids setting the list.
func (b *Block) Refuses(l List) bool { return b != nil && b.BlockPublicAcls && l.Public() }
