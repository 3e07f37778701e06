package permissions

import "github.com/omnibucket/storage"

var locked = upload(storage.WithRetention(governed.Until, governed.Mode))

var controlRows = []Row{
	{
		Section: "Tags, locks, encryption", Name: "`Upload` with `WithTags`", Role: Full,
		do: upload(storage.WithTags(someTags)),
		Needs: Needs{
			"PutObject PutObjectTagging", "objects.create objects.createContext", "blobs/write blobs/tags/write", "w t",
		},
	}, {
		Name: "`Tags`", Role: Full, setup: upload(storage.WithTags(someTags)), do: tags(),
		Needs: Needs{"GetObjectTagging", "objects.get", "blobs/tags/read", "t"},
	}, {
		Name: "`SetTags`, to add some", Role: Full, setup: upload(), do: setTags(someTags),
		Needs: Needs{"PutObjectTagging", "objects.get objects.update objects.createContext", "blobs/tags/write", "t"},
	}, {
		Name: "… to change some", Role: Full, setup: upload(storage.WithTags(someTags)), do: setTags(otherTags),
		Needs: Needs{"PutObjectTagging", "objects.get objects.update objects.updateContext", "blobs/tags/write", "t"},
	}, {
		Name: "… to remove them", Role: Full, setup: upload(storage.WithTags(someTags)), do: setTags(nil),
		Needs: Needs{"PutObjectTagging", "objects.get objects.update objects.deleteContext", "blobs/tags/write", "t"},
	}, {
		Name: "`Upload` with `WithRetention`", Kind: Locks, do: locked,
		Needs: Needs{
			"PutObject PutObjectRetention", "objects.create objects.setRetention",
			"containers/read blobs/write containers/write", "r(c) w i",
		},
	}, {
		Name: "… with `WithLegalHold`", Kind: Locks, do: upload(storage.WithLegalHold()),
		Needs: Needs{
			"PutObject PutObjectLegalHold", "objects.create", "containers/read blobs/write containers/write", "r(c) w i",
		},
	}, {
		Name: "`Attrs`, `Download`, to see a retention", Kind: Locks, setup: locked, do: read(),
		Needs: Needs{"GetObject GetObjectRetention", "objects.get", "blobs/read", "r"},
	}, {
		Name: "… to see a legal hold", Kind: Locks, setup: upload(storage.WithLegalHold()), do: read(),
		Needs: Needs{"GetObject GetObjectLegalHold", "objects.get", "blobs/read", "r"},
	}, {
		Name: "`SetRetention`", Kind: Locks, setup: upload(), do: setRetention(governed),
		Needs: Needs{"PutObjectRetention", "objects.update objects.setRetention", "blobs/read containers/write", "r i"},
	}, {
		Name: "… with `WithGovernanceBypass`", Kind: Locks, setup: both(upload(), setRetention(governed)),
		do: setRetention(shorter, storage.WithGovernanceBypass()),
		Needs: Needs{
			"PutObjectRetention BypassGovernanceRetention",
			"objects.update objects.setRetention objects.overrideUnlockedRetention", "blobs/read containers/write", "r i",
		},
	}, {
		Name: "`SetLegalHold`", Kind: Locks, setup: upload(), do: setLegalHold,
		Needs: Needs{"PutObjectLegalHold", "objects.update", "containers/write", "i"},
	}, {
		Name: "`Remove` of a version with `WithGovernanceBypass`", Kind: Locks,
		setup: twoVersions(storage.WithRetention(governed.Until, governed.Mode)),
		do:    removeVersion(storage.WithGovernanceBypass()),
		Needs: Needs{"DeleteObjectVersion BypassGovernanceRetention",
			"objects.delete objects.get objects.update objects.setRetention objects.overrideUnlockedRetention",
			"blobs/deleteBlobVersion/action blobs/read containers/write", "x r i"},
	}, {
		Name: "`Restore`", setup: archive, do: restore,
		Needs: Needs{"GetObject RestoreObject", "objects.get", "blobs/read blobs/write", "r w"},
	}, {
		Name: "`Upload` with `WithPublicRead`", Kind: AccessLists, do: upload(storage.WithPublicRead()),
		Needs: Needs{"PutObject PutObjectAcl", "objects.create", Unsupported, Unsupported},
	}, {
		Name: "`Upload` with a key of KMS", do: uploadEncrypted,
		Needs: Needs{"PutObject kms:GenerateDataKey", "objects.create", "blobs/write", "w"},
	}, {
		Name: "… in parts", do: func(e *env) error { return uploadParts(e.account.Key)(e) },
		Needs: Needs{"PutObject kms:GenerateDataKey kms:Decrypt", "objects.create", "blobs/write", "w"},
	}, {
		Name: "`Attrs`, `Download` of such an object", setup: uploadEncrypted, do: read(),
		Needs: Needs{"GetObject kms:Decrypt", "objects.get", "blobs/read", "r"},
	},
}

var signingRows = []Row{
	{
		Section: "Signed URLs", Name: "`SignedDownloadURL`, `SignedUploadURL`", do: both(signDownload, signUpload),
		Needs: Needs{"", "iam.serviceAccounts.signBlob", "generateUserDelegationKey/action", Unsupported},
	},
}
