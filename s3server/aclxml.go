package s3server

import (
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

const schemaInstance = "http://www.w3.org/2001/XMLSchema-instance"

type aclResponse struct {
	XMLName           xml.Name `xml:"AccessControlPolicy"`
	Xmlns             string   `xml:"xmlns,attr"`
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

// getACL returns the list of the bucket or the object.
func getACL(r *request) error {
	id, err := r.versionID()
	if err != nil {
		return err
	}
	list, account := accessList(nil), ""
	err = r.view(func(b *bucket) error {
		list, account = b.acl, b.account
		if r.target.key != "" {
			v, _, err := r.find(versionName{r.target.bucket, r.target.key, id})
			defer r.server.store.release(v)
			if err != nil {
				return err
			}
			list, account = v.object.acl, b.ownerOf(&v.object)
		}
		if b.ownership == ownerEnforced {
			list = nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	response := aclResponse{Xmlns: xmldoc.Namespace, Owner: accounts.OwnerOf(account)}
	for _, g := range list.shown(account) {
		grantee := shownGrantee{Xsi: schemaInstance, Type: "Group", URI: g.Grantee}
		if !strings.HasPrefix(g.Grantee, groupPrefix) {
			grantee = shownGrantee{Xsi: schemaInstance, Type: "CanonicalUser", ID: g.Grantee, DisplayName: displayName(r.server, g.Grantee)}
		}
		response.AccessControlList.Grant = append(response.AccessControlList.Grant, shownGrant{grantee, g.Permission})
	}
	return r.writeXML(response)
}

// displayName returns the name of an account with a canonical id, or "".
func displayName(h *Handler, canonicalID string) string {
	account, known := h.accountOf(canonicalID)
	if !known {
		return ""
	}
	return accounts.OwnerOf(account).DisplayName
}

type aclRequest struct {
	XMLName           xml.Name `xml:"AccessControlPolicy"`
	Owner             *struct{ ID string }
	AccessControlList *struct {
		Grant []struct {
			Grantee struct {
				ID, URI, EmailAddress string
			}
			Permission string
		}
	}
}

// list returns the list of the document, for a bucket or an object of an account.
func (d *aclRequest) list(h *Handler, account string) (accessList, error) {
	if d.AccessControlList == nil || d.Owner == nil || len(d.AccessControlList.Grant) > maxGrants {
		return nil, s3error.New("MalformedACLError")
	}
	if !strings.EqualFold(d.Owner.ID, accounts.OwnerOf(account).ID) {
		return nil, s3error.New("AccessDenied")
	}
	list := accessList{}
	for _, g := range d.AccessControlList.Grant {
		kind, name := "id", g.Grantee.ID
		switch {
		case g.Grantee.URI != "":
			kind, name = "uri", g.Grantee.URI
		case g.Grantee.EmailAddress != "":
			kind, name = "emailAddress", g.Grantee.EmailAddress
		}
		switch g.Permission {
		case permitRead, permitWrite, permitReadACL, permitWriteACL, permitAll:
		default:
			return nil, s3error.New("MalformedACLError")
		}
		grantee, err := h.grantee(kind, name)
		if err != nil {
			return nil, err
		}
		list = append(list, grant{grantee, g.Permission})
	}
	return list, nil
}

// askedACL is what a request wants the list to be: by its headers, or by its document.
type askedACL struct {
	request  *request
	document *aclRequest // nil: the headers say it
}

// readACL reads what the request wants the list to be.
func readACL(r *request) (*askedACL, error) {
	document, err := r.readDocument()
	if err != nil {
		return nil, err
	}
	inHeader := r.Header.Get("X-Amz-Acl") != "" || setsGrants(r.Header)
	switch {
	case len(document) == 0 && !inHeader:
		return nil, s3error.New("MissingSecurityHeader", "MissingHeaderName", "x-amz-acl")
	case len(document) == 0:
		return &askedACL{request: r}, nil
	case inHeader:
		return nil, s3error.New("UnexpectedContent")
	}
	a := &askedACL{request: r, document: &aclRequest{}}
	if xmldoc.Parse(document, a.document) != nil {
		return nil, s3error.New("MalformedACLError")
	}
	return a, nil
}

// list returns the list for the bucket, or for an object of an account.
func (a *askedACL) list(account string, b *bucket, object bool) (list accessList, err error) {
	if b.ownership == ownerEnforced {
		return nil, s3error.New("AccessControlListNotSupported")
	}
	if a.document != nil {
		list, err = a.document.list(a.request.server, account)
	} else {
		list, _, err = readHeaderACL(a.request.server, a.request.Header, account, b, object)
	}
	if err == nil && list.public() && b.block != nil && b.block.BlockPublicAcls {
		err = s3error.New("AccessDenied")
	}
	return list, err
}

func putBucketACL(r *request) error {
	asked, err := readACL(r)
	if err != nil {
		return err
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		list, err := asked.list(b.account, b, false)
		if err == nil {
			b.acl = list
		}
		return err
	})
}

func putObjectACL(r *request) error {
	asked, err := readACL(r)
	if err != nil {
		return err
	}
	return changeVersion(r, http.StatusOK, func(b *bucket, v *version) error {
		list, err := asked.list(b.ownerOf(&v.object), b, true)
		if err == nil {
			v.object.acl = list
		}
		return err
	})
}
