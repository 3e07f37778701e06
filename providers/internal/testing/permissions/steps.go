package permissions

import (
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/permissions"
)

// A step performs an operation for a test.
type step struct {
	kind  Kind
	setup func(*env) error // makes requests that are not counted; may be nil
	do    func(*env) error
}

var (
	someTags  = map[string]string{"team": "blue"}
	otherTags = map[string]string{"team": "red"}
	governed  = storage.Retention{Until: time.Now().Add(24 * time.Hour), Mode: storage.Governance}
	shorter   = storage.Retention{Until: time.Now().Add(time.Hour), Mode: storage.Governance}
	someCORS  = storage.CORSRule{Origins: []string{"https://example.com"}, Methods: []string{"PUT"}}
	someRule  = storage.LifecycleRule{Prefix: "tmp/", ExpireAfterDays: 3}
	locked    = upload(storage.WithRetention(governed.Until, governed.Mode))
)

// steps maps each operation to its step.
var steps = map[permissions.Operation]step{
	"upload":                {do: upload()},
	"upload-over":           {setup: upload(), do: upload()},
	"upload-if-absent":      {do: upload(storage.IfAbsent())},
	"upload-if-absent-lost": {do: loseResponse},
	"upload-if-revision": {
		setup: aRevision,
		do:    ifRevision(func(r string) func(*env) error { return upload(storage.IfRevision(r)) }),
	},
	"upload-parts":        {do: uploadParts()},
	"upload-parts-failed": {do: failParts},
	"upload-resumed":      {setup: interrupt, do: resume},
	"download":            {setup: upload(), do: read()},
	"download-missing":    {do: readMissing},
	"download-version":    {kind: Versions, setup: twoVersions(), do: readVersion},
	"list":                {setup: upload(), do: list},
	"list-versions":       {kind: Versions, setup: twoVersions(), do: versions},
	"remove":              {setup: upload(), do: remove()},
	"remove-if-revision": {
		setup: aRevision,
		do:    ifRevision(func(r string) func(*env) error { return remove(storage.IfRevision(r)) }),
	},
	"remove-version":         {kind: Versions, setup: twoVersions(), do: removeVersion()},
	"remove-all":             {setup: upload(), do: removeSeveral},
	"copy":                   {setup: upload(), do: copyTo()},
	"copy-with-properties":   {setup: upload(), do: copyTo(storage.WithContentType("text/html"))},
	"copy-tagged":            {setup: upload(storage.WithTags(someTags)), do: copyTo()},
	"copy-with-tags":         {setup: upload(storage.WithTags(someTags)), do: copyTo(storage.WithTags(otherTags))},
	"copy-without-tags":      {setup: upload(storage.WithTags(someTags)), do: copyTo(storage.WithTags(nil))},
	"move":                   {setup: upload(), do: move},
	"compose":                {setup: uploadParts(), do: compose},
	"append":                 {setup: upload(), do: appendTo},
	"update":                 {setup: upload(), do: update},
	"open-upload":            {do: openUpload},
	"abort-upload":           {setup: beginUpload, do: abortUpload},
	"list-uploads":           {setup: beginUpload, do: listUploads},
	"upload-with-tags":       {do: upload(storage.WithTags(someTags))},
	"tags":                   {setup: upload(storage.WithTags(someTags)), do: tags()},
	"add-tags":               {setup: upload(), do: setTags(someTags)},
	"change-tags":            {setup: upload(storage.WithTags(someTags)), do: setTags(otherTags)},
	"remove-tags":            {setup: upload(storage.WithTags(someTags)), do: setTags(nil)},
	"upload-with-retention":  {kind: Locks, do: locked},
	"upload-with-legal-hold": {kind: Locks, do: upload(storage.WithLegalHold())},
	"see-retention":          {kind: Locks, setup: locked, do: read()},
	"see-legal-hold":         {kind: Locks, setup: upload(storage.WithLegalHold()), do: read()},
	"set-retention":          {kind: Locks, setup: upload(), do: setRetention(governed)},
	"set-retention-bypass": {
		kind:  Locks,
		setup: joinSteps(upload(), setRetention(governed)),
		do:    setRetention(shorter, storage.WithGovernanceBypass()),
	},
	"set-legal-hold": {kind: Locks, setup: upload(), do: setLegalHold},
	"remove-version-bypass": {
		kind:  Locks,
		setup: twoVersions(storage.WithRetention(governed.Until, governed.Mode)),
		do:    removeVersion(storage.WithGovernanceBypass()),
	},
	"restore":                  {setup: archive, do: restore},
	"upload-public":            {kind: AccessLists, do: upload(storage.WithPublicRead())},
	"upload-encrypted":         {do: uploadEncrypted},
	"upload-parts-encrypted":   {do: func(e *env) error { return uploadParts(e.account.Key)(e) }},
	"download-encrypted":       {setup: uploadEncrypted, do: read()},
	"sign":                     {do: joinSteps(signDownload, signUpload, signRemoval)},
	"list-buckets":             {do: buckets},
	"bucket-info":              {setup: makePublic, do: bucketInfo},
	"create-bucket":            {do: createBucket()},
	"create-bucket-versioning": {do: createBucket(storage.WithVersioning(true))},
	"create-bucket-cors":       {do: createBucket(storage.WithCORS(someCORS))},
	"create-bucket-lifecycle":  {do: createBucket(storage.WithLifecycle(someRule))},
	"create-bucket-public":     {do: createBucket(storage.WithPublicAccess(true))},
	"create-bucket-lock":       {do: createBucket(storage.WithObjectLock())},
	"update-bucket-versioning": {setup: makePublic, do: updateBucket(storage.WithVersioning(true))},
	"update-bucket-cors":       {setup: makePublic, do: updateBucket(storage.WithCORS(someCORS))},
	"update-bucket-lifecycle":  {setup: makePublic, do: updateBucket(storage.WithLifecycle(someRule))},
	"update-bucket-public":     {do: updateBucket(storage.WithPublicAccess(true))},
	"update-bucket-private": {
		setup: makePublic,
		do:    updateBucket(storage.WithPublicAccess(false)),
	},
	"delete-bucket": {do: deleteBucket},
}
