package azure

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"time"
)

const (
	// sasVersion is the service version whose rules a signature follows (sv). The
	// fields of what is signed, and their order, are this version's: with the
	// SDK's own version they change together, or not at all.
	sasVersion = "2026-12-06"

	sasTime = "2006-01-02T15:04:05Z" // of UTC

	// From these versions on a signature names what kind of resource it is of, and
	// an encryption scope.
	oldestVersion = "2018-11-09"
	scopeVersion  = "2020-12-06"
)

// What a signature allows, in the order that Azure wants the letters in.
const (
	mayRead      = "r"
	mayCreate    = "c"  // what is there is not overwritten: 403 UnauthorizedBlobOverwrite
	mayOverwrite = "cw" // create or overwrite
)

// A signingKey signs shared access signatures (SAS): it is the account's own, or
// one that the account gave out for a user.
type signingKey struct {
	account   string // by which Azure knows it, whatever host clients see
	secret    []byte
	version   string      // of the service; "": sasVersion
	delegated *delegation // nil: the account's own key
}

// newSigningKey is nil where no key is given; one that is not in base64 has been
// refused before.
func newSigningKey(account, key, version string) *signingKey {
	secret, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(secret) == 0 {
		return nil
	}
	return &signingKey{account: account, secret: secret, version: version}
}

// A delegation says whose a user delegation key is, in Azure's own words.
type delegation struct {
	objectID, tenantID string // skoid, sktid: the user's
	start, end         string // skt, ske
	service, version   string // sks, skv
}

// A grant is what a signature gives its holder.
type grant struct {
	container, key string // as they are, without escaping
	version        string // "": the current one
	permissions    string
	ends           time.Time // in whole seconds
	plainHTTP      bool      // may be used without TLS
	disposition    string    // Content-Disposition of the answer; "": the object's own
	mediaType      string    // Content-Type of the answer, likewise
}

func (g *grant) resource() string {
	if g.version != "" {
		return "bv"
	}
	return "b"
}

func (g *grant) protocol() string {
	if g.plainHTTP {
		return "https,http"
	}
	return "https"
}

func (g *grant) expiry() string { return g.ends.UTC().Format(sasTime) }

// canonical names the blob as Azure does when it checks the signature: by the
// account, not by the host, and without escaping.
func (g *grant) canonical(account string) string {
	return "/blob/" + account + "/" + g.container + "/" + g.key
}

// stringToSign is what is signed. There is no start: Azure counts from when it
// sees the request, so that a clock of ours that is ahead locks nobody out.
//
// https://learn.microsoft.com/rest/api/storageservices/create-service-sas
// https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
func (k *signingKey) stringToSign(g *grant) string {
	if k.delegated != nil {
		return k.delegated.stringToSign(g, k.account)
	}
	fields := []string{
		g.permissions,
		"", // signedStart
		g.expiry(),
		g.canonical(k.account),
		"", // signedIdentifier
		"", // signedIP
		g.protocol(),
		k.serviceVersion(),
		g.resource(),
		g.version, // signedSnapshotTime: a version's id stands in its place
	}
	if k.serviceVersion() >= scopeVersion {
		fields = append(fields, "") // signedEncryptionScope
	}
	return strings.Join(append(fields,
		"", // rscc
		g.disposition,
		"", // rsce
		"", // rscl
		g.mediaType,
	), "\n")
}

// serviceVersion is the version whose rules the signature follows.
func (k *signingKey) serviceVersion() string { return cmp.Or(k.version, sasVersion) }

func (d *delegation) stringToSign(g *grant, account string) string {
	return strings.Join([]string{
		g.permissions,
		"", // signedStart
		g.expiry(),
		g.canonical(account),
		d.objectID,
		d.tenantID,
		d.start,
		d.end,
		d.service,
		d.version,
		"", // signedAuthorizedUserObjectId
		"", // signedUnauthorizedUserObjectId
		"", // signedCorrelationId
		"", // signedKeyDelegatedUserTenantId
		"", // signedDelegatedUserObjectId
		"", // signedIP
		g.protocol(),
		sasVersion,
		g.resource(),
		g.version, // signedSnapshotTime: a version's id stands in its place
		"",        // signedEncryptionScope
		"",        // canonicalizedSignedRequestHeaders
		"",        // canonicalizedSignedRequestQueryParameters
		"",        // rscc
		g.disposition,
		"", // rsce
		"", // rscl
		g.mediaType,
	}, "\n")
}

func (k *signingKey) signature(g *grant) string {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte(k.stringToSign(g)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// sign is the query of an address that holds the grant.
func (k *signingKey) sign(g *grant) string {
	var q query
	q.Grow(512)
	q.add("sv", k.serviceVersion())
	q.add("sr", g.resource())
	q.add("sp", g.permissions)
	q.add("se", g.expiry())
	q.add("spr", g.protocol())
	q.add("versionid", g.version)
	q.add("rscd", g.disposition)
	q.add("rsct", g.mediaType)
	if d := k.delegated; d != nil {
		q.add("skoid", d.objectID)
		q.add("sktid", d.tenantID)
		q.add("skt", d.start)
		q.add("ske", d.end)
		q.add("sks", d.service)
		q.add("skv", d.version)
	}
	q.add("sig", k.signature(g))
	return q.String()
}

// A query is written in the order in which it is given.
type query struct{ strings.Builder }

// add escapes a space as %20, which every server reads as one.
func (q *query) add(name, value string) {
	if value == "" {
		return
	}
	if q.Len() > 0 {
		q.WriteByte('&')
	}
	q.WriteString(name)
	q.WriteByte('=')
	q.WriteString(strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
}
