"""What a person really earned: returns with their cash flows by the ledger of transactions, income, lots and gains."""
