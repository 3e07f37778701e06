package azure

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strconv"
	"strings"
	"sync"

	"github.com/omnibucket/storage/internal/escape"
)

const (
	// sasVersion is the service version of a signature (sv). It determines the signed fields and
	// their order, so change it only together with appendFields.
	sasVersion = "2026-12-06"

	sasTime = "2006-01-02T15:04:05Z" // in UTC

	// In oldestVersion and later, a signature names the kind of its resource. In scopeVersion and
	// later, an encryption scope can be in a signature, and in a request of Copy Blob From URL.
	oldestVersion = "2018-11-09"
	scopeVersion  = "2020-12-06"

	// olderDelegation is used for signatures with a user delegation key. If Config.APIVersion is
	// set and older than sasVersion, such a signature has at most the version olderDelegation. This
	// version has the same signed fields as scopeVersion. Version 2025-07-05 added signed fields.
	olderDelegation = "2025-05-05"
)

// The permissions of a signature, with the letters in Azure's order.
const (
	mayRead      = "r"
	mayCreate    = "c"  // if the blob exists, Azure responds 403 UnauthorizedBlobOverwrite
	mayOverwrite = "cw" // create or overwrite

	mayRemove        = "d"
	mayRemoveVersion = "x" // a version, and not the current blob
	mayList          = "l"
)

// A signingKey signs shared access signatures (SAS). Its secret is the account's own key, or a user
// delegation key.
type signingKey struct {
	account   string // the account's name, whatever the host of the URL is
	secret    []byte
	version   string      // service version; "" means sasVersion
	delegated *delegation // nil for the account's own key
	builders  sync.Pool   // a pool of *sasBuilder
}

// A sasBuilder builds one signed URL at a time, in buffers that it reuses. A signingKey keeps
// builders in a pool, because creating one costs more than a signature.
type sasBuilder struct {
	mac                hash.Hash
	fields             []string
	text, sum, address []byte
}

// newSigningKey returns the signing key of an account, or nil if key is empty or is not in base64,
// which parseKey refuses.
func newSigningKey(account, key, version string) *signingKey {
	secret, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(secret) == 0 {
		return nil
	}
	return &signingKey{account: account, secret: secret, version: version}
}

// A delegation has the fields that identify a user delegation key.
type delegation struct {
	objectID, tenantID string // IDs of the user: skoid, sktid
	start, end         string // skt, ske
	service, version   string // sks, skv
}

// A grant is the access that a signed URL gives, with the fields of its signature.
type grant struct {
	container, key string // not escaped
	version        string // "" means the current one
	permissions    string
	start          string // st: when the signature becomes valid
	expiry         string // se
	plainHTTP      bool   // the URL may be used without TLS
	disposition    string // Content-Disposition of the response; "" means the object's
	mediaType      string // Content-Type of the response; "" means the object's
	cacheControl   string // Cache-Control of the response; "" means the object's
	scope          string // the encryption scope of an upload; "" means the container's
	isFolder       bool   // true for all blobs below key, which is a directory, or "" for the container
}

// resource returns the letters of the kind of resource that g signs, for sr in the signature.
// https://learn.microsoft.com/rest/api/storageservices/create-service-sas#specify-the-signed-resource-field
func (g *grant) resource() string {
	if g.isFolder && g.key == "" {
		return "c" // a container
	}
	if g.isFolder {
		return "d" // a directory
	}
	if g.version != "" {
		return "bv" // a version of a blob
	}
	return "b" // a blob
}

// depth returns the number of path segments of a directory, which is in the URL but is not signed.
// For any other resource, it returns "".
func (g *grant) depth() string {
	if g.resource() != "d" {
		return ""
	}
	return strconv.Itoa(strings.Count(g.key, "/") + 1)
}

// protocol returns the protocols with which the signed URL may be used.
func (g *grant) protocol() string {
	if g.plainHTTP {
		return "https,http"
	}
	return "https"
}

// canonical returns the name of the blob as it is signed, not escaped and with the account in place
// of the host.
func (g *grant) canonical(account string) string {
	if g.isFolder && g.key == "" {
		return "/blob/" + account + "/" + g.container
	}
	return "/blob/" + account + "/" + g.container + "/" + g.key
}

// appendFields appends the lines of the text that is signed.
//
// https://learn.microsoft.com/rest/api/storageservices/create-service-sas
// https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
func (k *signingKey) appendFields(fields []string, g *grant) []string {
	if k.delegated != nil {
		return k.appendDelegated(fields, g)
	}
	fields = append(fields,
		g.permissions,
		g.start,
		g.expiry,
		g.canonical(k.account),
		"", // signedIdentifier
		"", // signedIP
		g.protocol(),
		k.serviceVersion(),
		g.resource(),
		g.version, // signedSnapshotTime, or the id of a version
	)
	if k.serviceVersion() >= scopeVersion {
		fields = append(fields, g.scope) // signedEncryptionScope
	}
	return g.appendResponseHeaders(fields)
}

// appendResponseHeaders appends the last lines of the text that is signed. They are headers that the
// service sends with the object instead of those that are stored. Two of them are never set.
func (g *grant) appendResponseHeaders(fields []string) []string {
	return append(fields,
		g.cacheControl,
		g.disposition,
		"", // rsce, the content encoding
		"", // rscl, the content language
		g.mediaType,
	)
}

func (k *signingKey) serviceVersion() string { return cmp.Or(k.version, sasVersion) }

// appendDelegated appends the lines of the text that is signed with a user delegation key. Their
// order is fixed, and a field that is not used is an empty line. The newest form of the text has
// four more lines than the older ones.
func (k *signingKey) appendDelegated(fields []string, g *grant) []string {
	d := k.delegated
	isNewestForm := k.serviceVersion() == sasVersion
	fields = append(fields,
		g.permissions,
		g.start,
		g.expiry,
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
	)

	if isNewestForm {
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

	if isNewestForm {
		fields = append(fields,
			"", // canonicalizedSignedRequestHeaders
			"", // canonicalizedSignedRequestQueryParameters
		)
	}
	return g.appendResponseHeaders(fields)
}

// signature returns the signature of g in base64. The slice is only valid until the next call, because b
// reuses its buffers.
func (b *sasBuilder) signature(k *signingKey, g *grant) []byte {
	// The text to sign has one field in each line.
	b.fields = k.appendFields(b.fields[:0], g)
	b.text = b.text[:0]
	for i, field := range b.fields {
		if i > 0 {
			b.text = append(b.text, '\n')
		}
		b.text = append(b.text, field...)
	}

	b.mac.Reset()
	b.mac.Write(b.text)
	b.sum = b.mac.Sum(b.sum[:0])
	b.text = base64.StdEncoding.AppendEncode(b.text[:0], b.sum)
	return b.text
}

// sign returns the signed URL that grants g, below the URL root. Its buffers come from a pool,
// because some programs sign many URLs.
func (k *signingKey) sign(root string, g *grant) string {
	b, _ := k.builders.Get().(*sasBuilder)
	if b == nil {
		b = &sasBuilder{mac: hmac.New(sha256.New, k.secret)}
	}
	defer k.builders.Put(b)

	// These are the fields of the signature. q.add omits those that are empty.
	q := query{address: appendBlobURL(b.address[:0], root, g.container, g.key), separator: '?'}
	q.add("sv", k.serviceVersion())
	q.add("sr", g.resource())
	q.add("sdd", g.depth())
	q.add("sp", g.permissions)
	q.add("st", g.start)
	q.add("se", g.expiry)
	q.add("spr", g.protocol())
	q.add("versionid", g.version)
	q.add("ses", g.scope)
	q.add("rscc", g.cacheControl)
	q.add("rscd", g.disposition)
	q.add("rsct", g.mediaType)

	// With a user delegation key, the URL also names the key.
	if d := k.delegated; d != nil {
		q.add("skoid", d.objectID)
		q.add("sktid", d.tenantID)
		q.add("skt", d.start)
		q.add("ske", d.end)
		q.add("sks", d.service)
		q.add("skv", d.version)
	}

	// Add the signature, and keep the buffer for the next URL.
	q.addEscaped("sig=")
	q.address = escape.AppendAll(q.address, b.signature(k, g))
	b.address = q.address
	return string(q.address)
}

type query struct {
	address   []byte
	separator byte // the character before the next parameter
}

// add adds a parameter and escapes its value, unless the value is "".
func (q *query) add(name, value string) {
	if value == "" {
		return
	}
	q.addEscaped(name, "=")
	q.address = escape.AppendAll(q.address, value)
}

// addEscaped adds a parameter, of which texts are the parts, already escaped.
func (q *query) addEscaped(texts ...string) {
	q.address = append(q.address, q.separator)
	q.separator = '&'
	for _, text := range texts {
		q.address = append(q.address, text...)
	}
}
