"""Load the documents of this folder into the database in MONGODB_URL: each file into the collection of its name."""

import os
import sys
from pathlib import Path

from bson.json_util import loads
from pymongo import MongoClient

with MongoClient(os.environ["MONGODB_URL"]) as client:
    for file in sorted(Path(__file__).parent.glob("*.json")):
        documents = client.get_default_database()[file.stem]
        if documents.find_one() is not None:
            sys.exit(f"{documents.full_name} holds documents already: name an empty database in MONGODB_URL.")
        documents.insert_many(loads(file.read_text()))
        print(f"{documents.full_name}: {documents.count_documents({})} documents")
