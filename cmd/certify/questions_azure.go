package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
)

var azureQuestions = []question{
	{
		id:       "azure-tags-of-attrs",
		provider: "azure",
		account:  "with a role that may not read tags",
		text:     "With a role that may not read tags, does `Attrs` count the tags of an object?",
		does:     "either is right: a copy then has none",
		cost:     "3 requests",
		answers:  []string{"yes", "no"},
		probe:    probeTagsOfAttrs,
	}, {
		id:       "azure-sas-limit",
		provider: "azure",
		account:  "with a SAS expiration policy (-sas-limit DURATION)",
		text:     "With a SAS expiration policy that blocks, does a URL work whose term, from its start, is exactly the limit?",
		does:     "the start is 15 minutes before now",
		cost:     "3 requests",
		answers:  []string{"yes", "no"},
		probe:    probeSASLimit,
	}, {
		id:       "azure-copy-source",
		provider: "azure",
		account:  "standard, with private endpoints, with a SAS expiration policy",
		text:     "Does the error for a source that the service may not read carry `CannotVerifyCopySource` with private endpoints?",
		does:     "that code, and `PublicAccessNotPermitted` if the source can be read, let the bytes pass through the process",
		cost:     "5 requests",
		answers:  []string{"the service reads its sources", "yes", "no"},
		probe:    probeCopySource,
	}, {
		id:       "azure-refused-characters",
		provider: "azure",
		account:  "standard",
		text:     "Which characters of K1 does the front end refuse? Users name U+0081, U+008D, U+008F, U+009D, U+F003 and U+FFFD",
		does:     "its 400 is `InvalidArgument` with a hint",
		cost:     "6 requests",
		answers:  []string{"none", "some"},
		probe:    probeRefusedCharacters,
	}, {
		id:       "azure-block-crc64",
		provider: "azure",
		account:  "standard",
		text:     "Does Put Block return `x-ms-content-crc64` if the request had none?",
		does:     "it is compared if it is there",
		cost:     "1 request",
		answers:  []string{"yes", "no"},
		probe:    probeBlockCRC64,
	}, {
		id:       "azure-block-ids",
		provider: "azure",
		account:  "standard",
		text:     "Are ids of 4 and of 6 bytes, whose encodings have 8 characters, of one length for Put Block?",
		does:     "yes, as its page says of the encoded value; Azurite says no, and then the key is `Locked`",
		cost:     "2 requests",
		answers:  []string{"yes", "no"},
		probe:    probeBlockIDs,
	}, {
		id:       "azure-leftover-blocks",
		provider: "azure",
		account:  "standard",
		text:     "Does Put Blob drop the uncommitted blocks of its key?",
		does:     "yes, as the page of Put Block List says; Azurite keeps them",
		cost:     "3 requests",
		answers:  []string{"yes", "no"},
		probe:    probeLeftoverBlocks,
	}, {
		id:       "azure-uncommitted-create",
		provider: "azure",
		account:  "standard",
		text:     "Does Put Blob with `If-None-Match: *` create a blob over uncommitted blocks?",
		does:     "yes: no blob is there. Azurite says that it exists",
		cost:     "2 requests",
		answers:  []string{"yes", "no"},
		probe:    probeUncommittedCreate,
	}, {
		id:       "azure-part-versions",
		provider: "azure",
		account:  "with versions",
		text:     "Do versions of the parts of an open upload stay?",
		does:     "each part is removed with its version",
		cost:     "15 requests",
		answers:  []string{"yes", "no"},
		probe:    probePartVersions,
	}, {
		id:       "azure-verdict",
		provider: "azure",
		account:  "with Defender (-defender)",
		text:     "Does a copy of an object that Defender has tagged succeed, without the verdict?",
		does:     "tags of a scanner are not copied",
		cost:     "up to 30 requests, in a minute",
		answers:  []string{"yes", "no, it fails", "no, it has the verdict"},
		probe:    probeVerdict,
	}, {
		id:       "azure-tier",
		provider: "azure",
		account:  "premium, standard",
		text:     "Which error does a tier have that the account lacks?",
		does:     "`BlobAccessTierNotSupportedForAccountType` is InvalidArgument",
		cost:     "1 request",
		answers:  []string{"none: the account has it", "invalid argument", "another"},
		probe:    probeTier,
	}, {
		id:       "azure-kept-tier",
		provider: "azure",
		account:  "standard",
		text:     "Does an overwrite without a storage class keep the tier of the object?",
		does:     "`Upload` does not tell the class of such an object",
		cost:     "3 requests",
		answers:  []string{"yes", "no"},
		probe:    probeKeptTier,
	}, {
		id:       "azure-hierarchical-versions",
		provider: "azure",
		account:  "with a hierarchical namespace",
		text:     "With a hierarchical namespace, is a listing with versions a listing or a refusal?",
		does:     "after a refusal, `DeleteBucket` lists without versions, because such an account has none",
		cost:     "2 requests",
		answers:  []string{"a listing", "a refusal"},
		probe:    probeHierarchicalVersions,
	}, {
		id:       "azure-default-immutability",
		provider: "azure",
		account:  "standard",
		text:     "Does a container say in its properties whether it has version-level immutability?",
		does:     "a write with locks asks the container first, and is `Unsupported` if it does not say so",
		cost:     "1 request",
		answers:  []string{"yes, it has none", "yes, it has it", "no"},
		probe:    probeDefaultImmutability,
	}, {
		id:       "azure-version-immutability",
		provider: "azure",
		account:  "with versions and version-level immutability (-immutable CONTAINER)",
		text:     "In a container with version-level immutability, does an unlocked retention keep a version until its owner ends it?",
		does:     "a retention in the mode governance is an unlocked policy, which is deleted before the version",
		cost:     "7 requests, on the container that -immutable names, which stays. Its object is locked for an hour, and removed at once",
		answers:  []string{"yes", "no, it is not kept", "no, it stays"},
		locks:    true,
		probe:    probeVersionImmutability,
	},
}

// probeTagsOfAttrs tests whether Attrs counts the tags of an object if the credentials may not read
// them.
func probeTagsOfAttrs(ctx context.Context, p *probe) (string, error) {
	b, err := p.newBucket(ctx)
	if err != nil {
		return "", err
	}
	err = put(ctx, b, "a", storage.WithTags(map[string]string{"team": "blue"}))
	if storage.CodeOf(err) == storage.PermissionDenied {
		return "", notApplicable("the credentials may not write tags")
	}
	if err != nil {
		return "", err
	}

	// Only credentials that may not read tags can answer the question.
	_, err = storage.Tags(ctx, b, "a")
	if err == nil {
		return "", notApplicable("the credentials may read tags")
	}
	if storage.CodeOf(err) != storage.PermissionDenied {
		return "", err
	}

	attrs, err := b.Attrs(ctx, "a")
	if err != nil {
		return "", err
	}
	if attrs.TagCount > 0 {
		return "yes", nil
	}
	return "no", nil
}

// signedSlack is the time between the start of a signed URL's validity and the present. The
// validity starts in the past.
const signedSlack = 15 * time.Minute

// probeSASLimit tests whether a signed URL works if it is valid for exactly as long as the account's policy
// permits.
func probeSASLimit(ctx context.Context, p *probe) (string, error) {
	if p.c.sasLimit <= signedSlack {
		return "", notApplicable("-sas-limit tells no limit above 15 minutes")
	}

	b, err := p.newBucket(ctx)
	if err != nil {
		return "", err
	}
	if err := put(ctx, b, "a"); err != nil {
		return "", err
	}

	// A signed URL is valid from signedSlack before the present, and the policy limits the whole time.
	link, err := b.SignedDownloadURL(ctx, "a", storage.WithTTL(p.c.sasLimit-signedSlack))
	if err != nil {
		return "", err
	}
	status, _, err := p.get(ctx, link.Method, link.URL, link.Header, "")
	if err != nil {
		return "", err
	}

	p.setDetail("status %d", status)
	if status == http.StatusOK {
		return "yes", nil
	}
	return "no", nil
}

// probeCopySource tests whether the service refuses a signed URL as the source of a copy, as the driver
// uses it for parts.
func probeCopySource(ctx context.Context, p *probe) (string, error) {
	b, client, err := bucketWithClient[*container.Client](ctx, p)
	if err != nil {
		return "", err
	}

	if err := put(ctx, b, "source"); err != nil {
		return "", err
	}
	link, err := b.SignedDownloadURL(ctx, "source")
	if storage.CodeOf(err) == storage.Unsupported {
		return "", notApplicable("the credentials sign nothing")
	}
	if err != nil {
		return "", err
	}

	// The source of this copy is the signed URL.
	_, err = client.NewBlobClient("copy").CopyFromURL(ctx, link.URL, nil)
	if err == nil {
		return "the service reads its sources", nil
	}
	respErr, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		return "", err
	}

	p.setDetail("status %d, %s", respErr.StatusCode, respErr.ErrorCode)
	if respErr.ErrorCode == "CannotVerifyCopySource" {
		return "yes", nil
	}
	return "no", nil
}

// probeRefusedCharacters tests which characters the service refuses in a key although this library permits them. It tries
// those about which Azure's documentation and servers differ.
func probeRefusedCharacters(ctx context.Context, p *probe) (string, error) {
	b, err := p.newBucket(ctx)
	if err != nil {
		return "", err
	}

	var refused []string
	for _, char := range []rune{0x81, 0x8D, 0x8F, 0x9D, 0xF003, 0xFFFD} {
		err := put(ctx, b, "a"+string(char))
		if err == nil {
			continue
		}
		// Only status 400 is a refusal of the character. Another error leaves the question open.
		storageErr, ok := errors.AsType[*storage.Error](err)
		if !ok || storageErr.Status != http.StatusBadRequest {
			return "", err
		}
		refused = append(refused, fmt.Sprintf("U+%04X", char))
	}

	p.setDetail("%s", strings.Join(refused, " "))
	if len(refused) > 0 {
		return "some", nil
	}
	return "none", nil
}

// verdictTime is the longest wait for the verdict of Microsoft Defender about an object.
const verdictTime = time.Minute

// probeVerdict tests whether a copy leaves out the tags that a scanner for malware has set.
func probeVerdict(ctx context.Context, p *probe) (string, error) {
	if !p.c.defender {
		return "", notApplicable("without -defender, nobody waits for a verdict")
	}
	b, client, err := bucketWithClient[*container.Client](ctx, p)
	if err != nil {
		return "", err
	}

	// The scanner tags the object some time after the upload.
	if err := put(ctx, b, "a"); err != nil {
		return "", err
	}
	if err := p.waitForTags(ctx, client, "a"); err != nil {
		return "", err
	}

	if _, err := storage.Copy(ctx, b, "copy", b, "a"); err != nil {
		p.setDetail("%s", storage.CodeOf(err))
		return "no, it fails", nil
	}
	isTagged, err := hasTags(ctx, client, "copy")
	if err != nil {
		return "", err
	}
	if isTagged {
		return "no, it has the verdict", nil
	}
	return "yes", nil
}

// waitForTags waits until an object has tags, which a scanner for malware sets with its verdict. If there are none
// after verdictTime, the error has the type notApplicable.
func (p *probe) waitForTags(ctx context.Context, client *container.Client, key string) error {
	const pollInterval = 2 * time.Second
	for start := time.Now(); time.Since(start) < verdictTime; {
		if p.c.interrupted.Load() {
			return storage.Canceled
		}
		time.Sleep(pollInterval)
		isTagged, err := hasTags(ctx, client, key)
		if isTagged || err != nil {
			return err
		}
	}
	return notApplicable("no scanner tagged an object")
}

// hasTags reports whether an object has tags.
func hasTags(ctx context.Context, client *container.Client, key string) (bool, error) {
	props, err := client.NewBlobClient(key).GetProperties(ctx, nil)
	if err != nil {
		return false, err
	}
	return props.TagCount != nil && *props.TagCount > 0, nil
}
