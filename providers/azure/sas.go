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
	// sasVersion is the service version of a signature (sv). It defines the
	// signed fields and their order, so change it only together with
	// stringToSign.
	sasVersion = "2026-12-06"

	sasTime = "2006-01-02T15:04:05Z" // in UTC

	// Since oldestVersion, a signature names the kind of its resource; since
	// scopeVersion, it has an encryption scope, and so has Copy Blob From URL.
	oldestVersion = "2018-11-09"
	scopeVersion  = "2020-12-06"

	// olderDelegation is the version of a signature with a user delegation key if the account uses
	// another version than sasVersion. Its fields are the same since scopeVersion; 2025-07-05 has more.
	olderDelegation = "2025-05-05"
)

// The permissions of a signature, with the letters in Azure's order.
const (
	mayRead      = "r"
	mayCreate    = "c"  // an existing blob is not overwritten: 403 UnauthorizedBlobOverwrite
	mayOverwrite = "cw" // create or overwrite
)

// A signingKey signs shared access signatures (SAS). It is the account's own key,
// or a user delegation key.
type signingKey struct {
	account   string // the account's name, whatever the host of the URL is
	secret    []byte
	version   string      // of the service; "" means sasVersion
	delegated *delegation // nil for the account's own key
}

// newSigningKey returns nil if key is "". A key that is not in base64 was refused
// before.
func newSigningKey(account, key, version string) *signingKey {
	secret, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(secret) == 0 {
		return nil
	}
	return &signingKey{account: account, secret: secret, version: version}
}

// A delegation has the fields that identify a user delegation key.
type delegation struct {
	objectID, tenantID string // of the user: skoid, sktid
	start, end         string // skt, ske
	service, version   string // sks, skv
}

// A grant is the access that a signature grants.
type grant struct {
	container, key string // not escaped
	version        string // "" means the current one
	permissions    string
	starts, ends   time.Time // in whole seconds
	plainHTTP      bool      // the URL may be used without TLS
	disposition    string    // Content-Disposition of the response; "" means the object's
	mediaType      string    // Content-Type of the response; "" means the object's
	scope          string    // the encryption scope of an upload; "" means the container's
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

// start returns when the signature becomes valid, clockSkew before it is made. An account whose SAS
// expiration policy blocks refuses a signature without a start.
// https://learn.microsoft.com/azure/storage/common/sas-expiration-policy
// https://github.com/microsoft/AzureStorageExplorer/issues/8845
func (g *grant) start() string { return g.starts.UTC().Format(sasTime) }

func (g *grant) expiry() string { return g.ends.UTC().Format(sasTime) }

// canonical returns the blob's name in the signature. It has the account instead
// of the host, and is not escaped.
func (g *grant) canonical(account string) string {
	return "/blob/" + account + "/" + g.container + "/" + g.key
}

// stringToSign returns the text to sign.
//
// https://learn.microsoft.com/rest/api/storageservices/create-service-sas
// https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
func (k *signingKey) stringToSign(g *grant) string {
	if k.delegated != nil {
		return k.delegatedStringToSign(g)
	}
	fields := []string{
		g.permissions,
		g.start(),
		g.expiry(),
		g.canonical(k.account),
		"", // signedIdentifier
		"", // signedIP
		g.protocol(),
		k.serviceVersion(),
		g.resource(),
		g.version, // signedSnapshotTime, or the id of a version
	}
	if k.serviceVersion() >= scopeVersion {
		fields = append(fields, g.scope) // signedEncryptionScope
	}
	return strings.Join(append(fields,
		"", // rscc
		g.disposition,
		"", // rsce
		"", // rscl
		g.mediaType,
	), "\n")
}

// serviceVersion returns the service version of the signature.
func (k *signingKey) serviceVersion() string { return cmp.Or(k.version, sasVersion) }

func (k *signingKey) delegatedStringToSign(g *grant) string {
	d, current := k.delegated, k.serviceVersion() == sasVersion
	fields := []string{
		g.permissions,
		g.start(),
		g.expiry(),
		g.canonical(k.account),
		d.objectID,
		d.tenantID,
		d.start,
		d.end,
		d.service,
		d.version,
		"", // signedAuthorizedUserObjectId
		"", // signedUnauthorizedUserObjectId
		"", // signedCorrelationId
	}
	if current {
		fields = append(fields,
			"", // signedKeyDelegatedUserTenantId
			"", // signedDelegatedUserObjectId
		)
	}
	fields = append(fields,
		"", // signedIP
		g.protocol(),
		k.serviceVersion(),
		g.resource(),
		g.version, // signedSnapshotTime, or the id of a version
		g.scope,   // signedEncryptionScope
	)
	if current {
		fields = append(fields,
			"", // canonicalizedSignedRequestHeaders
			"", // canonicalizedSignedRequestQueryParameters
		)
	}
	return strings.Join(append(fields,
		"", // rscc
		g.disposition,
		"", // rsce
		"", // rscl
		g.mediaType,
	), "\n")
}

func (k *signingKey) signature(g *grant) string {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte(k.stringToSign(g)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// sign returns the query of a URL with the grant.
func (k *signingKey) sign(g *grant) string {
	var q query
	q.Grow(512)
	q.add("sv", k.serviceVersion())
	q.add("sr", g.resource())
	q.add("sp", g.permissions)
	q.add("st", g.start())
	q.add("se", g.expiry())
	q.add("spr", g.protocol())
	q.add("versionid", g.version)
	q.add("ses", g.scope)
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

// A query keeps the order in which its parameters are added.
type query struct{ strings.Builder }

// add adds a parameter. It escapes a space as %20, which every server
// understands.
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
