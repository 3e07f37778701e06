package s3server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// The groups that a grant can name.
const (
	groupPrefix        = "http://acs.amazonaws.com/groups/"
	allUsers           = groupPrefix + "global/AllUsers"
	authenticatedUsers = groupPrefix + "global/AuthenticatedUsers"
	logDelivery        = groupPrefix + "s3/LogDelivery"
)

// The permissions that a grant can give.
const (
	permitRead     = "READ"
	permitWrite    = "WRITE"
	permitReadACL  = "READ_ACP"
	permitWriteACL = "WRITE_ACP"
	permitAll      = "FULL_CONTROL"
)

// A grant gives a permission to an account, by its canonical id, or to a group, by its
// URI.
type grant struct{ Grantee, Permission string }

// An accessList is the list of a bucket or an object. Nil gives everything to the owner
// and nothing to anybody else.
type accessList []grant

const maxGrants = 100

// The permissions that lists give for actions on buckets and on objects. No other action
// is in a list's power.
var (
	bucketPermissions = map[string]string{
		"s3:ListBucket": permitRead, "s3:ListBucketVersions": permitRead, "s3:ListBucketMultipartUploads": permitRead,
		"s3:PutObject": permitWrite, "s3:DeleteObject": permitWrite,
		"s3:GetBucketAcl": permitReadACL, "s3:PutBucketAcl": permitWriteACL,
	}
	objectPermissions = map[string]string{
		"s3:GetObject": permitRead, "s3:GetObjectVersion": permitRead, "s3:GetObjectTorrent": permitRead, "s3:GetObjectVersionTorrent": permitRead,
		"s3:GetObjectAttributes": permitRead, "s3:GetObjectVersionAttributes": permitRead,
		"s3:GetObjectAcl": permitReadACL, "s3:GetObjectVersionAcl": permitReadACL,
		"s3:PutObjectAcl": permitWriteACL, "s3:PutObjectVersionAcl": permitWriteACL,
	}
)

// listed reports whether the list of the bucket or of the object gives permission.
func (a *access) listed() bool {
	b := a.bucket
	if b.ownership == ownerEnforced {
		return false
	}
	if permission := bucketPermissions[a.action]; permission != "" {
		return b.acl.gives(permission, a.caller, b.block)
	}
	if a.action == "s3:PutObjectAcl" && !a.needsObject() {
		// A caller that may write an object may set its list with it.
		return b.acl.gives(permitWrite, a.caller, b.block)
	}
	permission := objectPermissions[a.action]
	return permission != "" && a.version() != nil && a.version().object.acl.gives(permission, a.caller, b.block)
}

// gives reports whether the list gives the caller a permission.
func (l accessList) gives(permission string, c *caller, block *accessBlock) bool {
	return slices.ContainsFunc(l, func(g grant) bool {
		if g.Permission != permission && g.Permission != permitAll {
			return false
		}
		switch {
		case g.public() && block != nil && block.IgnorePublicAcls:
			return false
		case g.Grantee == allUsers:
			return true
		case g.Grantee == authenticatedUsers:
			return !c.anonymous
		}
		return !c.anonymous && g.Grantee == accounts.OwnerOf(c.account).ID
	})
}

func (g grant) public() bool { return g.Grantee == allUsers || g.Grantee == authenticatedUsers }

// public reports whether the list gives anybody anything.
func (l accessList) public() bool { return slices.ContainsFunc(l, grant.public) }

// grantsOthers reports whether the list gives anything to another account or to a group.
func (l accessList) grantsOthers(account string) bool {
	return slices.ContainsFunc(l, func(g grant) bool { return g.Grantee != accounts.OwnerOf(account).ID })
}

// shown returns the grants as a response shows them: groups first.
func (l accessList) shown(account string) []grant {
	if l == nil {
		return []grant{{accounts.OwnerOf(account).ID, permitAll}}
	}
	shown := slices.Clone(l)
	rank := func(g grant) int {
		if strings.HasPrefix(g.Grantee, groupPrefix) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(shown, func(a, b grant) int { return rank(a) - rank(b) })
	return shown
}

// cannedACL returns the list with a name, for a bucket or an object of an account.
func cannedACL(name, account string, b *bucket, object bool) (accessList, error) {
	owner, full := accounts.OwnerOf(account).ID, grant{accounts.OwnerOf(account).ID, permitAll}
	bucketOwner := accounts.OwnerOf(b.account).ID
	switch name {
	case "private":
		return nil, nil
	case "public-read":
		return accessList{{allUsers, permitRead}, full}, nil
	case "public-read-write":
		return accessList{{allUsers, permitRead}, {allUsers, permitWrite}, full}, nil
	case "authenticated-read":
		return accessList{{authenticatedUsers, permitRead}, full}, nil
	case "aws-exec-read":
		return nil, s3error.New("NotImplemented", "Header", "x-amz-acl").WithMessage("This server does not implement the canned ACL aws-exec-read")
	case "bucket-owner-read", "bucket-owner-full-control":
		if !object || owner == bucketOwner {
			return nil, nil // AWS ignores it for buckets
		}
		permission := map[string]string{"bucket-owner-read": permitRead, "bucket-owner-full-control": permitAll}[name]
		return accessList{full, {bucketOwner, permission}}, nil
	case "log-delivery-write":
		if !object {
			return accessList{{logDelivery, permitWrite}, {logDelivery, permitReadACL}, full}, nil
		}
	}
	return nil, s3error.New("InvalidArgument", "ArgumentName", "x-amz-acl", "ArgumentValue", name)
}

// grantHeaders are the headers that grant, in the order in which their grants are shown.
var grantHeaders = []struct{ name, permission string }{
	{"X-Amz-Grant-Read", permitRead},
	{"X-Amz-Grant-Write", permitWrite},
	{"X-Amz-Grant-Read-Acp", permitReadACL},
	{"X-Amz-Grant-Write-Acp", permitWriteACL},
	{"X-Amz-Grant-Full-Control", permitAll},
}

func setsGrants(header http.Header) bool {
	return slices.ContainsFunc(grantHeaders, func(h struct{ name, permission string }) bool { return header.Get(h.name) != "" })
}

// readGrants reads the headers that grant.
func readGrants(h *Handler, header http.Header) (accessList, error) {
	list := accessList{}
	for _, granting := range grantHeaders {
		value := header.Get(granting.name)
		if value == "" {
			continue
		}
		for entry := range strings.SplitSeq(value, ",") {
			kind, name, found := strings.Cut(strings.TrimSpace(entry), "=")
			if !found {
				return nil, s3error.New("InvalidArgument", "ArgumentName", strings.ToLower(granting.name), "ArgumentValue", value).WithMessage("Argument format not recognized")
			}
			grantee, err := h.grantee(kind, strings.Trim(name, `"`))
			if err != nil {
				return nil, err
			}
			list = append(list, grant{grantee, granting.permission})
		}
	}
	if len(list) > maxGrants {
		return nil, s3error.New("InvalidRequest").WithMessage("A list has %d grants at most", maxGrants)
	}
	return list, nil
}

// grantee checks the receiver of a grant.
func (h *Handler) grantee(kind, name string) (string, error) {
	switch strings.ToLower(kind) {
	case "id":
		if _, known := h.accountOf(name); known {
			return strings.ToLower(name), nil
		}
		return "", s3error.New("InvalidArgument", "ArgumentName", "id", "ArgumentValue", name).WithMessage("Invalid id")
	case "uri":
		if slices.Contains([]string{allUsers, authenticatedUsers, logDelivery}, name) {
			return name, nil
		}
		return "", s3error.New("InvalidArgument", "ArgumentName", "uri", "ArgumentValue", name).WithMessage("Invalid group uri")
	case "emailaddress":
		// Since October 2025, AWS takes none; the accounts of this server have none.
		return "", s3error.New("UnresolvableGrantByEmailAddress")
	}
	return "", s3error.New("InvalidArgument", "ArgumentName", kind, "ArgumentValue", name).WithMessage("Argument format not recognized")
}

// readHeaderACL reads the list that the headers of a write set for an object of an account, or
// for a bucket. Without such headers it returns nil, and that it is not given.
func readHeaderACL(h *Handler, header http.Header, account string, b *bucket, object bool) (list accessList, given bool, err error) {
	canned, grants := header.Get("X-Amz-Acl"), setsGrants(header)
	switch {
	case canned == "" && !grants:
		return nil, false, nil
	case canned != "" && grants:
		return nil, true, s3error.New("InvalidRequest").WithMessage("Specifying both Canned ACLs and Header Grants is not allowed")
	case grants:
		list, err = readGrants(h, header)
	default:
		list, err = cannedACL(canned, account, b, object)
	}
	return list, true, err
}

// newObjectACL returns the list of an object that is written. If the bucket has no lists,
// only one that changes nothing is accepted.
func newObjectACL(h *Handler, header http.Header, account string, b *bucket) (accessList, error) {
	list, given, err := readHeaderACL(h, header, account, b, true)
	wrongName := !setsGrants(header) && s3error.Is(err, "InvalidArgument")
	switch {
	case wrongName:
		return nil, err
	case given && b.ownership == ownerEnforced && !b.keepsOwner(header, list):
		return nil, s3error.New("AccessControlListNotSupported")
	case err != nil:
		return nil, err
	case list.public() && b.block != nil && b.block.BlockPublicAcls:
		return nil, s3error.New("AccessDenied")
	}
	return list, nil
}

// keepsOwner reports whether a list only says that the owner of the bucket has full
// control.
func (b *bucket) keepsOwner(header http.Header, list accessList) bool {
	if canned := header.Get("X-Amz-Acl"); canned != "" {
		return canned == "bucket-owner-full-control"
	}
	return len(list) == 1 && list[0] == grant{accounts.OwnerOf(b.account).ID, permitAll}
}

// setNewACL sets the list of a bucket that is created.
func setNewACL(h *Handler, b *bucket, header http.Header) error {
	list, _, err := readHeaderACL(h, header, b.account, b, false)
	switch {
	case err != nil:
		return err
	case list.grantsOthers(b.account) && b.ownership == ownerEnforced:
		return s3error.New("InvalidBucketAclWithObjectOwnership", "BucketName", b.name)
	case list.public() && b.block != nil && b.block.BlockPublicAcls:
		return s3error.New("InvalidBucketAclWithBlockPublicAccessError", "BucketName", b.name)
	}
	b.acl = list
	return nil
}
