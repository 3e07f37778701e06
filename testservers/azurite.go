package main

import "net/http"

// Azurite judges signatures, shared access signatures, conditions and block
// lists. It is left without the databases that it can keep its own tables in.
var azurite = npmTool{
	pkg:      "azurite",
	entry:    "azurite/dist/src/blob/main.js",
	external: []string{"mysql2", "pg-hstore", "tedious"},
}

// The account that every Azurite has, and a second one, with the same key, for
// tests that change what on Azure is the account's: the CORS rules. The first is
// in Azurite's documentation.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteOther   = "devstoreaccount2"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
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
			"--skipApiVersionCheck", // SDKs are ahead of it
			"--disableTelemetry",
		},
		env: []string{"AZURITE_ACCOUNTS=" + azuriteAccount + ":" + azuriteKey + ";" + azuriteOther + ":" + azuriteKey},

		ready:       address + "?comp=list",
		readyStatus: http.StatusForbidden, // to who has not signed: it is open to nobody else
		url:         address,
		variables:   map[string]string{"ACCOUNT": azuriteAccount, "KEY": azuriteKey, "OTHER": "http://" + p.host + "/" + azuriteOther},
	}, nil
}
