package main

import "net/http"

// azurite is the emulator of Azure Blob Storage. It checks signatures, shared access signatures,
// conditions and block lists. The bundle (see npmTool) leaves out the packages of optional
// databases.
var azurite = npmTool{
	pkg:      "azurite",
	entry:    "azurite/dist/src/blob/main.js",
	external: []string{"mysql2", "pg-hstore", "tedious"},
	// Ten minutes after its start, Azurite would begin to remove data that no blob uses. For each
	// removal, it sorts everything that it has, and then does not respond for minutes. 2147483647
	// ms is the longest interval that can be set.
	edits: []edit{
		{
			"azurite/dist/src/blob/utils/constants.js", "exports.DEFAULT_GC_INTERVAL_MS = 10 * 60 * 1000",
			"exports.DEFAULT_GC_INTERVAL_MS = 2147483647",
		},
	},
	// Azurite allocates much memory for a short time. These flags give new objects more memory, and
	// turn off the threads that collect garbage in parallel. The suite then takes a fifth less CPU
	// time on a server with one core.
	flags: []string{"--max-semi-space-size=32", "--single-threaded-gc"},
}

// The first account is the one in Azurite's documentation. The next two accounts have the same key
// as the first. They are for tests that change the CORS rules of an account.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteOther   = "devstoreaccount2"
	azuriteBrowser = "devstoreaccount3"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
	azuriteSecond  = "devstoreaccount4" // has its own key, azuriteKey2
	azuriteKey2    = "VGhlIHNlY29uZCBhY2NvdW50IG9mIEF6dXJpdGUgaGFzIGEga2V5IG9mIGl0cyBvd246IHNpeHR5LWZvdXIgYnl0ZXM="
)

func launchAzurite(p instance) (launch, error) {
	name, port, err := splitHost(p)
	if err != nil {
		return launch{}, err
	}
	address := "http://" + p.host + "/" + azuriteAccount
	return launch{
		args: []string{
			"--blobHost", name, "--blobPort", port, "--inMemoryPersistence", "--silent",
			"--skipApiVersionCheck", // the SDKs use newer versions of the API than Azurite
			"--disableTelemetry",
			"--blobKeepAliveTimeout", "3600", // in seconds; the default of 5 is too short for a slow client
		},
		env: []string{
			"AZURITE_ACCOUNTS=" + azuriteAccount + ":" + azuriteKey + ";" + azuriteOther + ":" + azuriteKey + ";" + azuriteBrowser + ":" + azuriteKey + ";" + azuriteSecond + ":" + azuriteKey2,
		},

		ready:       address + "?comp=list",
		readyStatus: http.StatusForbidden, // response to an unsigned request
		url:         address,
		variables: map[string]string{
			"ACCOUNT":        azuriteAccount,
			"KEY":            azuriteKey,
			"OTHER":          "http://" + p.host + "/" + azuriteOther,
			"BROWSER":        "http://" + p.host + "/" + azuriteBrowser,
			"SECOND":         "http://" + p.host + "/" + azuriteSecond,
			"SECOND_ACCOUNT": azuriteSecond,
			"SECOND_KEY":     azuriteKey2,
		},
	}, nil
}
