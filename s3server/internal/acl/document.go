package acl

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

const schemaInstance = "http://www.w3.org/2001/XMLSchema-instance"

type response struct {
	Owner             accounts.Owner
	AccessControlList struct{ Grant []shownGrant }
}

type shownGrant struct {
	Grantee    shownGrantee
	Permission string
}

type shownGrantee struct {
	Xsi         string `xml:"xmlns:xsi,attr"`
	Type        string `xml:"xsi:type,attr"`
	ID          string `xml:",omitempty"`
	DisplayName string `xml:",omitempty"`
	URI         string `xml:",omitempty"`
}

// ResponseOf returns the XML document of an ACL. account is the owner of the bucket or object, and lookup finds the
// names of the other accounts.
func ResponseOf(list List, account string, lookup Accounts) any {
	response := response{Owner: accounts.OwnerOf(account)}
	for _, g := range list.sortedGrants(account) {
		grantee := shownGrantee{Xsi: schemaInstance, Type: "Group", URI: g.Grantee}
		if !strings.HasPrefix(g.Grantee, groupPrefix) {
			grantee = shownGrantee{
				Xsi:         schemaInstance,
				Type:        "CanonicalUser",
				ID:          g.Grantee,
				DisplayName: displayName(lookup, g.Grantee),
			}
		}
		grant := shownGrant{Grantee: grantee, Permission: g.Permission}
		response.AccessControlList.Grant = append(response.AccessControlList.Grant, grant)
	}
	return response
}

// displayName returns the display name of the account with a canonical id, or "" if the account is unknown.
func displayName(lookup Accounts, canonicalID string) string {
	account, ok := lookup(canonicalID)
	if !ok {
		return ""
	}
	return accounts.OwnerOf(account).DisplayName
}

// A Document is the XML document with which a client sets an ACL.
type Document struct {
	XMLName           xml.Name `xml:"AccessControlPolicy"`
	Owner             *struct{ ID, DisplayName string }
	AccessControlList *struct {
		Grant []struct {
			Grantee struct {
				ID, DisplayName, URI, EmailAddress string
			}
			Permission string
		}
	}
}

// List converts the document to an ACL. It must name account, which owns the bucket or object, as the owner.
func (d *Document) List(lookup Accounts, account string) (List, error) {
	if d.AccessControlList == nil || d.Owner == nil || len(d.AccessControlList.Grant) > maxGrants {
		return nil, s3error.New("MalformedACLError")
	}
	if !strings.EqualFold(d.Owner.ID, accounts.OwnerOf(account).ID) {
		return nil, s3error.New("AccessDenied")
	}

	list := List{}
	for _, g := range d.AccessControlList.Grant {
		if !slices.Contains(permissions, g.Permission) {
			return nil, s3error.New("MalformedACLError")
		}

		// A grantee is an account, a group or the holder of an e-mail address.
		kind := "id"
		name := g.Grantee.ID
		if g.Grantee.URI != "" {
			kind = "uri"
			name = g.Grantee.URI
		} else if g.Grantee.EmailAddress != "" {
			kind = "emailAddress"
			name = g.Grantee.EmailAddress
		}

		grantee, err := lookup.grantee(kind, name)
		if err != nil {
			return nil, err
		}
		list = append(list, Grant{Grantee: grantee, Permission: g.Permission})
	}
	return list, nil
}
