package acl

import (
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// Accounts is a function that returns the account with a canonical id. found is false if there is
// none.
type Accounts func(canonicalID string) (account string, found bool)

// cannedList returns the canned ACL of this name, which is a predefined list of grants that clients send in the header
// x-amz-acl. The list is that of an object of account if isObject is true, and that of a bucket otherwise. It is nil,
// which gives all permissions to the owner, for the ACL private.
func cannedList(name, account, bucketAccount string, isObject bool) (List, error) {
	owner := accounts.OwnerOf(account).ID
	bucketOwner := accounts.OwnerOf(bucketAccount).ID
	ownerGrant := Grant{Grantee: owner, Permission: PermitAll}
	publicRead := Grant{Grantee: AllUsers, Permission: PermitRead}
	publicWrite := Grant{Grantee: AllUsers, Permission: PermitWrite}

	// The owner has all permissions, to which most canned ACLs add some of others.
	switch name {
	case "private":
		return nil, nil
	case "public-read":
		return List{publicRead, ownerGrant}, nil
	case "public-read-write":
		return List{publicRead, publicWrite, ownerGrant}, nil
	case "authenticated-read":
		return List{{Grantee: authenticatedUsers, Permission: PermitRead}, ownerGrant}, nil
	case "aws-exec-read":
		return nil, s3error.New("NotImplemented", "Header", "x-amz-acl").
			WithMessage("This server does not implement the canned ACL aws-exec-read")
	case "bucket-owner-read", "bucket-owner-full-control":
		// AWS ignores this canned ACL for buckets. The owner of the bucket has all permissions anyway.
		if !isObject || owner == bucketOwner {
			return nil, nil
		}
		permission := PermitAll
		if name == "bucket-owner-read" {
			permission = PermitRead
		}
		return List{ownerGrant, {Grantee: bucketOwner, Permission: permission}}, nil
	case "log-delivery-write":
		// Objects have no such ACL.
		if !isObject {
			return List{
				{Grantee: logDelivery, Permission: PermitWrite},
				{Grantee: logDelivery, Permission: permitReadACL},
				ownerGrant,
			}, nil
		}
	}
	return nil, s3error.New("InvalidArgument", "ArgumentName", "x-amz-acl", "ArgumentValue", name)
}

// grantHeaders maps headers to the permission that they grant. A response shows the grants in this
// order.
var grantHeaders = []struct{ name, permission string }{
	{"X-Amz-Grant-Read", PermitRead},
	{"X-Amz-Grant-Write", PermitWrite},
	{"X-Amz-Grant-Read-Acp", permitReadACL},
	{"X-Amz-Grant-Write-Acp", permitWriteACL},
	{"X-Amz-Grant-Full-Control", PermitAll},
}

// SetsGrants reports whether the request has one of the headers X-Amz-Grant-*.
func SetsGrants(header http.Header) bool {
	return slices.ContainsFunc(grantHeaders, func(h struct{ name, permission string }) bool {
		return header.Get(h.name) != ""
	})
}

// ReadGrants reads the grants in the headers X-Amz-Grant-*, each of which is a list such as `id="ACCOUNT",
// uri="GROUP"`.
func ReadGrants(lookup Accounts, header http.Header) (List, error) {
	list := List{}
	for _, grantHeader := range grantHeaders {
		value := header.Get(grantHeader.name)
		if value == "" {
			continue
		}

		// A grantee has the form id="ACCOUNT", uri="GROUP" or emailAddress="ADDRESS".
		for entry := range strings.SplitSeq(value, ",") {
			kind, name, ok := strings.Cut(strings.TrimSpace(entry), "=")
			if !ok {
				return nil, s3error.New("InvalidArgument", "ArgumentName", strings.ToLower(grantHeader.name),
					"ArgumentValue", value).WithMessage("Argument format not recognized")
			}
			grantee, err := lookup.grantee(kind, strings.Trim(name, `"`))
			if err != nil {
				return nil, err
			}
			list = append(list, Grant{Grantee: grantee, Permission: grantHeader.permission})
		}
	}
	if len(list) > maxGrants {
		return nil, s3error.New("InvalidRequest").WithMessage("A list has %d grants at most", maxGrants)
	}
	return list, nil
}

// grantee returns the grantee that a header names by an id, a uri or an emailAddress, as kind says. It must be a known
// account or one of the groups.
func (lookup Accounts) grantee(kind, name string) (string, error) {
	switch strings.ToLower(kind) {
	case "id":
		if _, ok := lookup(name); ok {
			return strings.ToLower(name), nil
		}
		return "", s3error.New("InvalidArgument", "ArgumentName", "id", "ArgumentValue", name).WithMessage("Invalid id")
	case "uri":
		if slices.Contains([]string{AllUsers, authenticatedUsers, logDelivery}, name) {
			return name, nil
		}
		return "", s3error.New("InvalidArgument", "ArgumentName", "uri", "ArgumentValue", name).
			WithMessage("Invalid group uri")
	case "emailaddress":
		// Since October 2025, AWS no longer accepts e-mail addresses. Accounts of this server have
		// none.
		return "", s3error.New("UnresolvableGrantByEmailAddress")
	}
	return "", s3error.New("InvalidArgument", "ArgumentName", kind, "ArgumentValue", name).
		WithMessage("Argument format not recognized")
}

// OfHeader reads the ACL in the headers of a request. It may be a canned ACL, which has a predefined name, or grants.
// The ACL is that of an object if isObject is true, and of a bucket otherwise. account is its owner, and bucketAccount
// owns the bucket. hasACL is false if the headers have no ACL, and true even for one that is not valid.
func OfHeader(
	lookup Accounts, header http.Header, account, bucketAccount string, isObject bool,
) (list List, hasACL bool, err error) {
	canned := header.Get("X-Amz-Acl")
	hasGrants := SetsGrants(header)
	if canned == "" && !hasGrants {
		return nil, false, nil
	}
	if canned != "" && hasGrants {
		return nil, true, s3error.New("InvalidRequest").
			WithMessage("Specifying both Canned ACLs and Header Grants is not allowed")
	}

	if hasGrants {
		list, err := ReadGrants(lookup, header)
		return list, true, err
	}
	list, err = cannedList(canned, account, bucketAccount, isObject)
	return list, true, err
}
